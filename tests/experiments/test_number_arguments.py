"""Numbers that are no numbers, or out of bounds, are refused by name in every call."""

import inspect
import math

import numpy as np
import pytest

import plait
from plait import models
from plait.errors import InputError, PlaitError, RecipeError

WITH_ARGUMENTS = {"FromStage", "Given", "Vectors", "load"}

NO_NUMBERS = [math.nan, math.inf, -math.inf, np.float32("nan"), True, 10**400, [3], {}, object()]
"""What no argument takes as a number."""

NO_COUNTS = [*NO_NUMBERS, -1, 1.5, "7", 10**30, None]
"""What no number of items, users or draws is."""

DATA = plait.Dataset.of(
    [
        {"user": f"u{user}", "item": f"i{(user * 3 + step) % 9}", "time": 100 * user + step}
        for user in range(20)
        for step in range(6)
    ],
    items=[{"item": f"i{number}", "title": f"thing {number}"} for number in range(9)],
)
TRAIN, VALIDATION, TEST = DATA.split_last(2)
FITTED = {"a": models.EASE().fit(TRAIN), "b": models.ItemKNN().fit(TRAIN)}
LISTS = {"a": FITTED["a"].recommend(TEST, k=5)}
TITLES = models.BM25().fit(TRAIN)


def fused(**options):
    return plait.fuse(FITTED, **options)


COUNTS = {
    "fit.seed": lambda value: models.Popular().fit(TRAIN, seed=value),
    "recommend.k": lambda value: FITTED["a"].recommend(k=0 if value is None else value),
    "similar.k": lambda value: FITTED["a"].similar(["i1"], k=value),
    "search.k": lambda value: TITLES.search(["thing"], k=value),
    "score.resamples": lambda value: plait.score(LISTS, TEST, resamples=value),
    "score.seed": lambda value: plait.score(LISTS, TEST, seed=value),
    "kcore.least": DATA.kcore,
    "sample.seed": lambda value: DATA.sample(users=2, seed=value),
    "split_last.n": DATA.split_last,
    "split_random.seed": lambda value: DATA.split_random(seed=value),
    "split_users.seed": lambda value: DATA.split_users(seed=value),
    "grid.seed": lambda value: plait.grid(models.EASE, {"l2": [1.0]}, TRAIN, TEST, seed=value),
    "grid.k": lambda value: plait.grid(models.EASE, {"l2": [1.0]}, TRAIN, TEST, k=value),
    "search.trials": lambda value: plait.search(models.EASE, None, TRAIN, TEST, trials=value),
    "fuse.candidates_per_model": lambda value: fused(
        weights={"a": 1, "b": 1}, candidates_per_model=value
    ),
}
"""Calls that take a count or a seed, by the name of the argument."""

NUMBERS = {
    "fit.event_weights.view": lambda value: models.Popular().fit(
        TRAIN, event_weights={"view": value}
    ),
    "score.propensity": lambda value: plait.score(LISTS, TEST, propensity=value),
    "sample.users": lambda value: DATA.sample(users=value),
    "split_users.share": DATA.split_users,
    "split_random.share": DATA.split_random,
    "split_time.cuts": DATA.split_time,
    "fuse.weights.a": lambda value: fused(weights={"a": value, "b": 1}),
    "Range.low": lambda value: plait.Range(value, 5),
    "Range.high": lambda value: plait.Range(1, value),
}
"""Calls that take a number, by the name of the argument."""


@pytest.mark.parametrize("argument", COUNTS)
def test_counts_and_seeds_are_whole_numbers(argument):
    name = argument.partition(".")[2]
    for value in NO_COUNTS:
        with pytest.raises(PlaitError) as refusal:
            COUNTS[argument](value)
        assert isinstance(refusal.value, InputError | RecipeError), (argument, value)
        assert refusal.value.field.endswith(name), (argument, value)


@pytest.mark.parametrize("argument", NUMBERS)
def test_numbers_are_finite(argument):
    for value in NO_NUMBERS:
        with pytest.raises(InputError) as refusal:
            NUMBERS[argument](value)
        assert refusal.value.field == argument.partition(".")[2], (argument, value)


@pytest.mark.parametrize(
    "name", sorted({*models.__all__} - {"FromStage", "Given", "Vectors", "load"})
)
def test_numbers_among_settings_are_finite(name):
    model = getattr(models, name)
    for setting, parameter in inspect.signature(model).parameters.items():
        if type(parameter.default) not in (int, float):
            continue
        for value in NO_NUMBERS:
            with pytest.raises(RecipeError) as refusal:
                model(**{setting: value})
            assert refusal.value.field.endswith(f".{setting}"), (setting, value)


def test_numbers_of_numpy_and_floats_without_fraction_are_taken():
    assert FITTED["a"].recommend(["u1"], k=np.int16(2)).height == 2
    assert FITTED["a"].recommend(["u1"], k=2.0).height == 2
    assert len(DATA.split_time(np.float32(0.5))) == 2
    assert len(DATA.sample(users=np.float64(0.5), seed=np.uint8(1)).user_ids) == 10


def test_numbers_that_no_array_holds_are_refused_in_scores_and_vectors():
    with pytest.raises(InputError):
        models.Given({"user": ["u1"], "item": ["i1"], "score": [10**400]})
    with pytest.raises(InputError):
        models.Vectors(["i1"], [[10**400, 1]])
    with pytest.raises(InputError):
        models.Vectors(["i1"], np.array([[1e300, 1]]))
