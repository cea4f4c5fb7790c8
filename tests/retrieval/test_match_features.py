"""Tests of the features of a query with items: values that can be counted by hand."""

import numpy as np
import pytest

from plait.retrieval.lexical import Lexical
from plait.retrieval.match_features import MATCH_FEATURES
from plait.testing.catalogue_changes import changed, state_with
from plait.testing.queries import ask
from plait.testing.synthetic_data import make_dataset

TITLES = {
    "fan": "ceiling fan 52 in. with light",
    "small": "ceiling fan 36 in. with light",
    "lights": "lights for a fan",
    "lamp": "floor lamp",
}


@pytest.fixture(scope="module")
def world():
    items = {item: {"title": title} for item, title in TITLES.items()}
    dataset = make_dataset([], items=items)
    return Lexical(name="lexical").fit(dataset), dataset


def features(world, text, *items, live=None, catalogue=None):
    stage, dataset = world
    catalogue = catalogue or dataset.catalogue
    numbers = catalogue.numbers(items)[None, :]
    values = stage.match_features(ask(catalogue, texts=[text], live=live), numbers)[0]
    return [dict(zip(MATCH_FEATURES, row.tolist(), strict=True)) for row in values]


def test_words_are_counted_as_written_by_stem_and_by_correction(world):
    fan, lights = features(world, "fan light", "fan", "lights")
    assert (fan["exact_share"], fan["stem_share"]) == (1, 0)
    assert (lights["exact_share"], lights["stem_share"]) == (0.5, 0.5)
    assert fan["title_words"] == 6
    assert fan["title_coverage"] == pytest.approx(2 / 6)
    (typed,) = features(world, "ceilnig fan", "fan")
    assert typed["corrected_share"] == 0.5
    assert typed["unmatched_words"] == 0


def test_order_phrase_and_positions_follow_the_title(world):
    fan, lights = features(world, "ceiling fan", "fan", "lights")
    assert (fan["phrase_words"], fan["ordered_share"]) == (1, 1)
    assert (fan["first_position"], fan["span"]) == (0, 1)
    assert fan["title_begins_with_match"] == 1
    assert (lights["phrase_words"], lights["ordered_share"]) == (0, 0)
    assert lights["last_word_before_end"] == 1
    turned, _ = features(world, "fan ceiling", "fan", "lights")
    assert (turned["phrase_words"], turned["ordered_share"]) == (0, 0)


def test_numbers_with_a_unit_are_equal_or_in_conflict(world):
    fan, small, lamp = features(world, "52 inch fan", "fan", "small", "lamp")
    assert (fan["quantities_equal"], fan["quantities_in_conflict"]) == (1, 0)
    assert (small["quantities_equal"], small["quantities_in_conflict"]) == (0, 1)
    assert (lamp["quantities_equal"], lamp["quantities_in_conflict"]) == (0, 0)
    assert (fan["numbers_matched"], small["numbers_missing"]) == (1, 1)


def test_head_is_what_stands_before_a_function_word(world):
    lights, fan = features(world, "light", "lights", "fan")
    assert (lights["head_matches"], lights["head_coverage"]) == (1, 1)
    assert (fan["head_matches"], fan["head_coverage"]) == (0, 0)


def test_items_without_a_match_and_padding_are_described(world):
    stage, dataset = world
    numbers = np.append(dataset.catalogue.numbers(["lamp"]), np.int32(-1))[None, :]
    queries = ask(dataset.catalogue, texts=["fan light"])
    values = stage.match_features(queries, numbers)[0]
    assert np.isfinite(values).all()
    assert values[:, MATCH_FEATURES.index("bm25")].tolist() == [0, 0]
    assert values[1, MATCH_FEATURES.index("title_words")] == 0
    nothing = stage.match_features(ask(dataset.catalogue, texts=["!"]), numbers)
    assert np.isnan(nothing).all()


def test_live_items_have_the_features_of_fitted_ones(world):
    stage, dataset = world
    items = {**{item: {"title": title} for item, title in TITLES.items()}}
    items["new"] = {"title": TITLES["fan"]}
    catalogue = changed(dataset.catalogue, dataset.version, items)
    live = state_with(stage, dataset, catalogue)
    fitted, new = features(
        world, "52 in ceilling fan", "fan", "new", live=live, catalogue=catalogue
    )
    assert new == pytest.approx(fitted)
