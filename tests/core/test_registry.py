"""Stages are found by the name of their module, or by a path."""

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
