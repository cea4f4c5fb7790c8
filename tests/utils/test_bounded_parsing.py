"""Malformed and deep files are one error in every reader."""

from types import MappingProxyType

import pytest

from plait.errors import MappingError, RecipeError
from plait.ingest.column_mapping import load_mapping
from plait.pipeline.recipe import Recipe, load_recipe
from plait.utils.toml_json import MAX_LEVELS, is_nested_deeper, parse_json, parse_toml

MALFORMED = {
    "lists": b"a = " + b"[" * 3000 + b"]" * 3000,
    "open": b"a = " + b"[" * 3000,
    "tables": b"a = " + b"{a=" * 3000,
    "dotted": b"event_weights" + b".a" * 1500 + b" = 1",
    "digits": b"candidates_per_model = " + b"9" * 5000,
    "no-text": b"\xff\xfe",
    "nul": b"a = '\0'",
}


@pytest.mark.parametrize("fault", MALFORMED)
def test_malformed_recipe_and_mapping_are_one_line(tmp_path, fault):
    path = tmp_path / "file.toml"
    path.write_bytes(MALFORMED[fault])
    for read, error in ((load_recipe, RecipeError), (load_mapping, MappingError)):
        with pytest.raises(error) as refused:
            read(path)
        assert "\n" not in refused.value.message
        assert len(refused.value.message) < 1000


@pytest.mark.parametrize("count", [99_999_999_999, 100_001, 10**400])
def test_recipe_with_too_many_candidates_is_refused_by_name(count):
    with pytest.raises(RecipeError) as refused:
        Recipe.of({"models": {"popular": {}}, "candidates_per_model": count})
    assert refused.value.field == "candidates_per_model"


def nested(levels):
    value = 1
    for level in range(levels):
        value = ({"a": value}, [value, 2], (2, value), MappingProxyType({"a": value}))[level % 4]
    return value


@pytest.mark.parametrize("levels", [0, 1, 5, 1000])
def test_is_nested_deeper_counts_lists_tuples_and_mappings(levels):
    assert is_nested_deeper(nested(levels), levels - 1) is (levels > 0)
    assert not is_nested_deeper(nested(levels), levels)


def test_is_nested_deeper_looks_into_sets_and_ends_for_a_list_that_holds_itself():
    assert is_nested_deeper([{frozenset({("a",)})}], 3)
    endless = []
    endless.append(endless)
    assert is_nested_deeper(endless, MAX_LEVELS)


def test_values_up_to_the_limit_are_parsed():
    text = "[" * MAX_LEVELS + "]" * MAX_LEVELS
    assert parse_json(text) is not None
    assert parse_toml(f"a = {text[1:-1]}")
    with pytest.raises(ValueError, match="nested"):
        parse_json(f"[{text}]")
    with pytest.raises(ValueError, match="nested"):
        parse_toml(f"a = {text}")
