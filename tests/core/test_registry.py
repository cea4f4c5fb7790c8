"""Stages are found by the name of their module, or by a path."""

import os
import subprocess
import sys

import pytest

from plait.core.registry import available, stage_class, stage_names
from plait.errors import RecipeError
from plait.rank.fuse import Fuse
from tests.core.toys import Counts


def test_built_in_stages_come_through_entry_points():
    assert stage_class("fuse") is Fuse
    assert stage_names()["fuse"] == "plait.rank.fuse"
    assert {"fuse", "rules", "policy", "explain", "popular", "lexical"} <= available().keys()


def test_a_stage_anywhere_else_is_named_by_path():
    assert stage_class("tests.core.toys:Counts") is Counts


@pytest.mark.parametrize("name", ["nothing", "", "filters", "tests.core.toys:recipe", ":", ".x:Y"])
def test_what_is_no_stage_is_refused(name):
    with pytest.raises(RecipeError):
        stage_class(name)


def test_an_unknown_name_lists_those_there_are():
    with pytest.raises(RecipeError, match="fuse"):
        stage_class("nothing")


def test_a_class_that_is_not_on_the_path_says_what_to_do():
    with pytest.raises(RecipeError, match=r"No module named 'own_model'.*PYTHONPATH"):
        stage_class("own_model:Weekday")


def test_a_file_that_imports_what_is_not_installed_is_named(tmp_path):
    package = tmp_path / "lacking_stages"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "mine.py").write_text("import surely_not_installed\n")
    made = tmp_path / "lacking-1.dist-info"
    made.mkdir()
    (made / "METADATA").write_text("Name: lacking\nVersion: 1\n")
    (made / "entry_points.txt").write_text("[plait.stages]\nlacking = lacking_stages\n")
    ask = "from plait.core.registry import stage_class; stage_class('mine')"
    found = subprocess.run(
        [sys.executable, "-c", ask],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    last = found.stderr.splitlines()[-1]
    assert last.startswith("plait.errors.RecipeError: cannot load the stage 'mine'")
    assert "surely_not_installed" in last
