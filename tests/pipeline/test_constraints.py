"""Settings are declared with their types and bounds, and validated when a stage is constructed."""

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pytest

from plait.errors import InputError, RecipeError
from plait.pipeline.config_validation import Limit, bounded_field, build_config, check, limit_of
from plait.pipeline.recipe import build_stage
from plait.pipeline.registry import load_all_stages
from plait.pipeline.search_space import Choice, Range, search_space, tunable

UNBOUNDED = {
    "fuse.missing_margin": "a missing score may lie above the mean",
    "fuse.weights": "a model may count against an item",
    "fuse.text_query_weights": "as above",
    "fuse.item_query_weights": "as above",
    "fuse.rare_item_query_weights": "as above",
    "fuse.fixed.weights": "as above",
    "fuse.fixed.margin": "as fuse.missing_margin",
}
"""Numbers without bounds, and why."""


@dataclass(frozen=True)
class Inner:
    share: float = bounded_field(0.5, Limit(least=0, below=1))


@dataclass(frozen=True)
class Outer:
    size: int = bounded_field(3, Limit(least=1))
    rate: float = tunable(0.1, Range(0.01, 1.0), Limit(above=0))
    days: float | None = bounded_field(None, Limit(least=0))
    word: Literal["a", "b"] = "a"
    title: str = ""
    enabled: bool = True
    bands: tuple[int, ...] = bounded_field((0, 1), Limit(least=0))
    pair: tuple[int, str] = (1, "x")
    items: tuple[str | Inner, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    inner: Inner = field(default_factory=Inner)


@pytest.mark.parametrize(
    ("changes", "setting", "value"),
    [
        ({"size": 0}, "size", 0),
        ({"size": 1.5}, "size", 1.5),
        ({"size": 1.0}, "size", 1.0),
        ({"size": True}, "size", True),
        ({"size": "3"}, "size", "3"),
        ({"rate": 0}, "rate", 0),
        ({"rate": math.nan}, "rate", math.nan),
        ({"rate": math.inf}, "rate", math.inf),
        ({"rate": 10**400}, "rate", 10**400),
        ({"rate": False}, "rate", False),
        ({"rate": None}, "rate", None),
        ({"days": -1.0}, "days", -1.0),
        ({"word": "c"}, "word", "c"),
        ({"title": 3}, "title", 3),
        ({"enabled": "no"}, "enabled", "no"),
        ({"enabled": 1}, "enabled", 1),
        ({"bands": (0, -1)}, "bands", -1),
        ({"bands": 3}, "bands", 3),
        ({"pair": (1, 2)}, "pair", 2),
        ({"items": (3,)}, "items", 3),
        ({"items": (Inner(1.0),)}, "items.share", 1.0),
        ({"items": ("a", Inner(True))}, "items.share", True),
        ({"weights": {"a": -math.inf}}, "weights.a", -math.inf),
        ({"weights": 3}, "weights", 3),
        ({"inner": Inner(-0.5)}, "inner.share", -0.5),
        ({"inner": {"share": 0.1}}, "inner", {"share": 0.1}),
    ],
)
def test_setting_that_is_not_allowed_is_named_with_its_value(changes, setting, value):
    with pytest.raises(InputError) as failure:
        check(Outer(**changes), "stage")
    assert failure.value.field == f"stage.{setting}"
    assert failure.value.message.startswith(f"stage.{setting} is {value!r}, expected ")


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({"rate": "0.5"}, "rate"),
        ({"bands": [0, True]}, "bands"),
        ({"items": [{"share": 2}]}, "items.share"),
        ({"inner": {"share": 1}}, "inner.share"),
        ({"inner": 3}, "inner"),
        ({"weights": {"a": "1"}}, "weights.a"),
    ],
)
def test_table_with_a_value_that_is_not_allowed_is_refused(settings, setting):
    with pytest.raises(InputError) as failure:
        build_config(Outer, settings, "stage")
    assert failure.value.field == f"stage.{setting}"


@pytest.mark.parametrize(
    ("settings", "key"), [({"sizes": 3}, "sizes"), ({"inner": {"shares": 3}}, "shares")]
)
def test_table_with_an_unknown_key_is_refused(settings, key):
    with pytest.raises(RecipeError) as failure:
        build_config(Outer, settings, "stage")
    assert failure.value.field == key


def test_table_within_a_table_keeps_the_values_it_leaves_out():
    @dataclass(frozen=True)
    class Limits:
        low: int = 1
        high: int = 9

    config_class = dataclasses.make_dataclass(
        "Nested", [("limits", Limits, field(default_factory=lambda: Limits(3, 4)))], frozen=True
    )
    assert build_config(config_class, {"limits": {"high": 5}}, "stage").limits == Limits(3, 5)


def test_table_with_lists_and_whole_numbers_becomes_a_config_of_tuples_and_floats():
    settings = {"rate": 2, "bands": [0, 5], "items": ["a", {"share": 0.25}], "pair": [1, "y"]}
    config = build_config(Outer, settings, "stage")
    expected = Outer(rate=2.0, bands=(0, 5), items=("a", Inner(0.25)), pair=(1, "y"))
    assert config == expected
    assert type(config.rate) is float


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"size": 2**31 - 1, "rate": 10**300},
        {"size": np.int64(3), "rate": np.float32(0.5), "days": 2, "enabled": np.True_},
        {"bands": [], "items": ("a", Inner(0)), "weights": {"a": -1}},
    ],
)
def test_allowed_settings_pass(changes):
    check(Outer(**changes), "stage")


def test_field_without_a_stage_name_is_the_setting_alone():
    with pytest.raises(InputError) as failure:
        check(Outer(size=0))
    assert failure.value.field == "size"


@pytest.mark.parametrize(
    ("limit", "inside", "outside"),
    [
        (Limit(), [-9, 9], []),
        (Limit(least=1), [1, 2], [0.9]),
        (Limit(above=0), [0.1], [0, -1]),
        (Limit(most=1_000_000), [1_000_000], [1_000_001]),
        (Limit(below=1), [0.9, -9], [1]),
        (Limit(least=0, most=1), [0, 1], [-0.1, 1.1]),
        (Limit(above=0, below=1), [0.5], [0, 1]),
    ],
)
def test_bounds_contain_what_lies_within_them(limit, inside, outside):
    assert all(limit.contains(number) for number in inside)
    assert not any(limit.contains(number) for number in outside)


def numeric_fields(config, prefix=""):
    """The fields that hold numbers: path, bounds and default."""
    for declared in dataclasses.fields(config):
        value = getattr(config, declared.name)
        if dataclasses.is_dataclass(value):
            yield from numeric_fields(value, f"{prefix}{declared.name}.")
        elif re.search(r"\b(int|float)\b", str(declared.type)):
            yield f"{prefix}{declared.name}", limit_of(declared), value


def just_outside(limit, value):
    """The nearest numbers that are refused, of the type of `value`."""
    is_whole = isinstance(value[0] if isinstance(value, tuple) else value, int)
    for bound, step in ((limit.least, -1), (limit.most, 1)):
        if bound is not None:
            yield bound + step if is_whole else math.nextafter(bound, step * math.inf)
    yield from (bound for bound in (limit.above, limit.below) if bound is not None)


def replaced(config, path, value):
    """The config with another value at a path."""
    name, _, inner_path = path.partition(".")
    old = getattr(config, name)
    if inner_path:
        value = replaced(old, inner_path, value)
    elif isinstance(old, tuple):
        value = (value,)
    return dataclasses.replace(config, **{name: value})


def table(path, value):
    """A recipe's table with one value at a path."""
    name, _, inner_path = path.partition(".")
    return {name: table(inner_path, value) if inner_path else value}


STAGES = sorted(load_all_stages().items())
NUMERIC_FIELDS = [
    pytest.param(name, stage, *numeric, id=f"{name}.{numeric[0]}")
    for name, stage in STAGES
    for numeric in numeric_fields(stage.Config())
    if f"{name}.{numeric[0]}" not in UNBOUNDED
]


@pytest.mark.parametrize(("name", "stage", "path", "limit", "value"), NUMERIC_FIELDS)
def test_every_number_of_a_stage_has_bounds_and_keeps_them(name, stage, path, limit, value):
    assert limit != Limit(), "declare bounds, or say in UNBOUNDED why there are none"
    for wrong in (*just_outside(limit, value), math.nan, math.inf, True):
        with pytest.raises(InputError) as failure:
            stage(replaced(stage.Config(), path, wrong), name=name)
        assert failure.value.field == f"{name}.{path}"
        settings = table(path, [wrong] if isinstance(value, tuple) else wrong)
        with pytest.raises(RecipeError) as failure:
            build_stage(name, settings)
        assert failure.value.field == f"{name}.{path}"


@pytest.mark.parametrize(("name", "stage"), STAGES)
def test_search_space_and_defaults_lie_within_bounds(name, stage):
    limits = {path: limit for path, limit, _ in numeric_fields(stage.Config())}
    for path, space in search_space(stage.Config).items():
        if path in limits:
            ends = space.values if isinstance(space, Choice) else (space.low, space.high)
            assert all(limits[path].contains(number) for number in ends if number is not None), path
    stage(name=name)


@pytest.mark.parametrize(
    ("name", "settings", "setting"),
    [
        ("sequence", {"embedding_dim": 63}, "sequence.num_heads"),
        ("graph", {"num_layers": 0}, "graph.num_layers"),
        ("factors", {"method": "neumf", "factors": 1}, "factors.factors"),
        ("ratings", {"burn_in": 200}, "ratings.burn_in"),
        ("rules", {"pins": [{"item": "a", "place": 0}]}, "rules.pins.place"),
    ],
)
def test_settings_that_do_not_go_together_are_refused_by_the_recipe(name, settings, setting):
    with pytest.raises(RecipeError) as failure:
        build_stage(name, settings)
    assert failure.value.field == setting


@pytest.mark.parametrize(
    "settings", [{"history_length_bands": [0, True]}, {"weights": {"*": True}}]
)
def test_true_is_no_number_in_a_recipe(settings):
    with pytest.raises(RecipeError) as failure:
        build_stage("fuse", settings)
    assert failure.value.field.startswith(f"fuse.{next(iter(settings))}")


def test_false_is_a_switch_in_a_recipe():
    assert build_stage("linear", {"order_aware": False}).config.order_aware is False
