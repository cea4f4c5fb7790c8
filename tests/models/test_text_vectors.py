"""The stage of text vectors: history, words, and items that are put after the fit."""

from dataclasses import replace

import numpy as np
import pytest

from plait.data.catalogue import Change
from plait.data.history import History
from plait.data.query_batch import QueryBatch
from plait.errors import BundleError, InputError
from plait.evaluation.ranking.rank_queries import state_view_of
from plait.models.text_vectors import TextVectors, TextVectorsConfig
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.recipe import Recipe
from tests.dataset_fixtures import world

TITLES = {
    "soap": "lavender hand soap",
    "bath": "lavender bath salt",
    "nail": "steel nails",
    "screw": "steel screws and nails",
    "none": "",
}


@pytest.fixture(scope="module")
def shop():
    rows = [("ann", "soap", 1), ("bob", "nail", 1), ("cay", "none", 1), ("cay", "screw", 2)]
    fields = {name: {"title": title} for name, title in TITLES.items()}
    return world(rows, items=list(TITLES), item_fields=fields)


@pytest.fixture(scope="module")
def stage(shop, tmp_path_factory):
    config = TextVectorsConfig(cache=str(tmp_path_factory.mktemp("cache")))
    return TextVectors(config, name="text").fit(shop)


def histories(*items):
    numbers = np.array(items, np.int32)
    offsets = np.arange(len(items) + 1)
    return QueryBatch.of_histories(
        History(offsets, numbers, np.zeros(len(items), np.int64), np.ones(len(items), np.float32))
    )


def test_a_history_scores_items_with_the_same_words_higher(stage):
    scores = stage.score_all(histories(0, 2))
    assert scores[0, 1] > scores[0, 3]
    assert scores[1, 3] > scores[1, 1]
    assert np.isnan(scores[:, 4]).all()


def test_a_history_without_text_scores_nothing(stage):
    assert np.isnan(stage.score_all(histories(4))).all()


def test_a_query_is_its_text(stage):
    queries = replace(histories(0), texts=("nails of steel",))
    scores = stage.score_all(queries)[0]
    assert np.nanargmax(scores) in (2, 3)
    assert (stage.explain(queries, np.array([[2, 3]], np.int32)) == -1).all()


def test_an_item_has_a_vector_from_the_moment_at_which_it_is_put(shop, stage):
    recipe = Recipe("words", {"text": {"cache": stage.config.cache}}, {})
    pipeline = Pipeline.build(recipe).fit(shop)
    items = shop.catalogue.with_ids([*TITLES, "oil"]).updated(
        [Change(5, "put", {"title": "lavender bath oil"}, shop.version + 1)]
    )
    items = items.updated([Change(2, "patch", {"title": "lavender pillow"}, shop.version + 2)])
    live = state_view_of(pipeline, replace(shop, catalogue=items, version=shop.version + 2))
    scores = pipeline.models[0].score_all(replace(histories(0), live=live))[0]
    assert scores[5] > scores[3]
    assert scores[2] > scores[3]
    encoded = stage._normalized(stage._encoder().encode(["lavender bath oil"]))
    assert scores[5] == pytest.approx(float(encoded[0] @ stage._items[0]))


def test_an_encoder_that_changed_after_the_fit_is_refused(stage, tmp_path):
    stage.save(tmp_path)
    loaded = TextVectors.load(stage.config, "text", tmp_path)
    np.testing.assert_array_equal(loaded._items, stage._items)
    changed = stage.clone()
    for name in TextVectors.fitted_state:
        setattr(changed, name, getattr(stage, name))
    changed._encoder_digest = "0" * 32
    changed.save(tmp_path)
    with pytest.raises(BundleError) as caught:
        TextVectors.load(stage.config, "text", tmp_path)
    assert "plait fit" in caught.value.hint


def test_unknown_fields_are_refused(shop):
    with pytest.raises(InputError):
        TextVectors(TextVectorsConfig(fields=("nope",))).fit(shop)
