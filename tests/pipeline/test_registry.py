"""Stages are found in the table of built-in ones, by entry point, or by a path."""

import os
import subprocess
import sys

import pytest

from plait.errors import RecipeError
from plait.pipeline.registry import load_all_stages, stage_class, stage_paths
from plait.ranking.fusion.fuse import Fuse
from tests.pipeline.fake_stages import Counts


def test_built_in_stages_are_listed_in_one_table():
    assert stage_class("fuse") is Fuse
    assert stage_paths()["fuse"] == "plait.ranking.fusion.fuse:Fuse"
    assert {"fuse", "rules", "policy", "explain", "popular", "lexical"} <= load_all_stages().keys()


def test_a_stage_anywhere_else_is_named_by_path():
    assert stage_class("tests.pipeline.fake_stages:Counts") is Counts


@pytest.mark.parametrize(
    "name", ["nothing", "", "filters", "tests.pipeline.fake_stages:recipe", ":", ".x:Y"]
)
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
    (tmp_path / "lacking_stages.py").write_text("import surely_not_installed\n")
    made = tmp_path / "lacking-1.dist-info"
    made.mkdir()
    (made / "METADATA").write_text("Name: lacking\nVersion: 1\n")
    (made / "entry_points.txt").write_text("[plait.stages]\nmine = lacking_stages:Mine\n")
    ask = "from plait.pipeline.registry import stage_class; stage_class('mine')"
    process = subprocess.run(
        [sys.executable, "-c", ask],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    last = process.stderr.splitlines()[-1]
    assert last.startswith("plait.errors.RecipeError: cannot load the stage 'mine'")
    assert "surely_not_installed" in last
