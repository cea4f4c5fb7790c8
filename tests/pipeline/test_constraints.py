"""What a setting can be: declared with its field, checked when a stage is made."""

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pytest

from plait.errors import InputError, RecipeError
from plait.pipeline.constraints import Limit, bounded_field, check, limit_of
from plait.pipeline.recipe import build_stage
from plait.pipeline.registry import load_all_stages
from plait.pipeline.search_space import Choice, Range, search_space, tunable

FREE = {
    "fuse.missing_margin": "above the mean is a place too",
    "fuse.weights": "a strand may count against an item",
    "fuse.text_query_weights": "as above",
    "fuse.item_query_weights": "as above",
}
"""Numbers without a limit, and why."""


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
    yes: bool = True
    places: tuple[int, ...] = bounded_field((0, 1), Limit(least=0))
    pair: tuple[int, str] = (1, "x")
    parts: tuple[str | Inner, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    inner: Inner = field(default_factory=Inner)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"size": 0}, "x.size is 0, not 1 or more"),
        ({"size": 1.5}, "x.size is 1.5, not a whole number (1 or more)"),
        ({"size": True}, "x.size is True, not a whole number (1 or more)"),
        ({"size": "3"}, "x.size is '3', not a whole number (1 or more)"),
        ({"rate": 0}, "x.rate is 0, not above 0"),
        ({"rate": math.nan}, "x.rate is nan, not a finite number (above 0)"),
        ({"rate": math.inf}, "x.rate is inf, not a finite number (above 0)"),
        ({"rate": False}, "x.rate is False, not a finite number (above 0)"),
        ({"rate": None}, "x.rate is None, not a finite number (above 0)"),
        ({"days": -1.0}, "x.days is -1.0, not 0 or more"),
        ({"word": "c"}, "x.word is 'c', not 'a' or 'b'"),
        ({"title": 3}, "x.title is 3, not a text"),
        ({"yes": "no"}, "x.yes is 'no', not true or false"),
        ({"places": (0, -1)}, "x.places is -1, not 0 or more"),
        ({"places": 3}, "x.places is 3, not a list"),
        ({"pair": (1, 2)}, "x.pair is 2, not a text"),
        ({"parts": (3,)}, "x.parts is 3, not a text"),
        ({"parts": (Inner(1.0),)}, "x.parts.share is 1.0, not 0 to below 1"),
        ({"weights": {"a": -math.inf}}, "x.weights.a is -inf, not a finite number"),
        ({"weights": 3}, "x.weights is 3, not a table"),
        ({"inner": Inner(-0.5)}, "x.inner.share is -0.5, not 0 to below 1"),
        ({"inner": {"share": 0.1}}, "x.inner is {'share': 0.1}, not of the type Inner"),
    ],
)
def test_what_cannot_be_is_named(changes, said):
    with pytest.raises(InputError) as it:
        check(Outer(**changes), "x")
    assert it.value.message == said
    assert said.startswith(f"{it.value.field} is ")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"size": 10**400, "rate": 10**400},
        {"size": np.int64(3), "rate": np.float32(0.5), "days": 2, "yes": np.True_},
        {"places": [], "parts": ("a", Inner(0)), "weights": {"a": -1}},
    ],
)
def test_what_can_be_passes(changes):
    check(Outer(**changes), "x")


def test_without_a_name_a_field_stands_alone():
    with pytest.raises(InputError, match=r"^size is 0, not 1 or more$"):
        check(Outer(size=0))


@pytest.mark.parametrize(
    ("limit", "said", "inside", "outside"),
    [
        (Limit(), "", [-9, 9], []),
        (Limit(least=1), "1 or more", [1, 2], [0.9]),
        (Limit(above=0), "above 0", [0.1], [0, -1]),
        (Limit(most=1_000_000), "at most 1,000,000", [1_000_000], [1_000_001]),
        (Limit(below=1), "below 1", [0.9, -9], [1]),
        (Limit(least=0, most=1), "0 to 1", [0, 1], [-0.1, 1.1]),
        (Limit(above=0, below=1), "above 0 to below 1", [0.5], [0, 1]),
    ],
)
def test_limits(limit, said, inside, outside):
    assert str(limit) == said
    assert all(limit.contains(one) for one in inside)
    assert not any(limit.contains(one) for one in outside)


def numbers(config, where=""):
    """The fields that hold numbers: place, limit and default."""
    hints = {one.name: str(one.type) for one in dataclasses.fields(config)}
    for one in dataclasses.fields(config):
        value = getattr(config, one.name)
        if dataclasses.is_dataclass(value):
            yield from numbers(value, f"{where}{one.name}.")
        elif re.search(r"\b(int|float)\b", hints[one.name]):
            yield f"{where}{one.name}", limit_of(one), value


def just_outside(limit, value):
    """The nearest numbers that are refused, of the kind of `value`."""
    whole = isinstance(value[0] if isinstance(value, tuple) else value, int)
    for bound, way in ((limit.least, -1), (limit.most, 1)):
        if bound is not None:
            yield bound + way if whole else math.nextafter(bound, way * math.inf)
    yield from (one for one in (limit.above, limit.below) if one is not None)


def changed(config, place, value):
    """The config with another value at a place, in a table or not."""
    name, _, rest = place.partition(".")
    old = getattr(config, name)
    if rest:
        value = changed(old, rest, value)
    elif isinstance(old, tuple):
        value = (value,)
    return dataclasses.replace(config, **{name: value})


def nested(place, value):
    """The same as a recipe has it."""
    name, _, rest = place.partition(".")
    return {name: nested(rest, value) if rest else value}


STAGES = sorted(load_all_stages().items())
FIELDS = [
    pytest.param(name, one, *told, id=f"{name}.{told[0]}")
    for name, one in STAGES
    for told in numbers(one.Config())
    if f"{name}.{told[0]}" not in FREE
]


@pytest.mark.parametrize(("name", "stage", "place", "limit", "value"), FIELDS)
def test_every_number_of_a_stage_has_a_limit_and_keeps_it(name, stage, place, limit, value):
    assert limit != Limit(), "give it a limit, or say in FREE why it has none"
    for wrong in (*just_outside(limit, value), math.nan, math.inf, True):
        given = [wrong] if isinstance(value, tuple) else wrong
        with pytest.raises(InputError, match=f"^{name}.{place} is {wrong!r}, not "):
            stage(changed(stage.Config(), place, wrong), name=name)
        with pytest.raises(RecipeError, match=rf"^{name}.{place}(\.0)? is .*{wrong!r}"):
            build_stage(name, nested(place, given))


@pytest.mark.parametrize(("name", "stage"), STAGES)
def test_what_is_searched_lies_within_its_limit(name, stage):
    limits = {place: limit for place, limit, _ in numbers(stage.Config())}
    for place, space in search_space(stage.Config).items():
        if place in limits:
            tried = space.values if isinstance(space, Choice) else (space.low, space.high)
            assert all(limits[place].contains(one) for one in tried if one is not None), place
    stage(name=name)  # the defaults are within


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        (
            "sequence",
            {"embedding_dim": 63},
            "sequence.num_heads is 2, which does not divide embedding_dim 63",
        ),
        ("graph", {"num_layers": 0}, "graph.num_layers is 0, not 1 or more as use_triples"),
        ("factors", {"method": "neumf", "factors": 1}, "factors.factors is 1, not 2 or more"),
        ("ratings", {"burn_in": 200}, "ratings.burn_in is 200, not below the 200"),
        ("rules", {"pins": [{"item": "a", "place": 0}]}, "rules.pins.place is 0, not 1 or more"),
    ],
)
def test_what_does_not_go_together_is_refused_by_the_recipe(name, changes, said):
    with pytest.raises(RecipeError, match=said) as it:
        build_stage(name, changes)
    assert it.value.field.startswith(f"{name}.")


def test_a_yes_is_no_number_in_a_recipe_either():
    for given in ({"history_length_bands": [0, True]}, {"weights": {"*": True}}):
        with pytest.raises(RecipeError, match=r"fuse\.[a-z_]+(\.\*)? is True, not a number"):
            build_stage("fuse", given)
    assert build_stage("linear", {"order_aware": False}).config.order_aware is False
