"""Where hardly anybody chose the item that a query starts from, other weights hold."""

import numpy as np
import pytest

from plait.pipeline.fusion_defaults import FusionDefaults
from plait.ranking.fusion.config import FuseConfig
from plait.ranking.fusion.fuse import Fuse
from plait.testing.synthetic_data import make_dataset
from tests.ranking.candidate_fixtures import ask, ragged

DECLARED = {
    "pairs": FusionDefaults(rare_item_query_weight=0.1),
    "fields": FusionDefaults(item_query_weight=0.8),
    "top": FusionDefaults(item_query_weight=0.05, rare_item_query_weight=0.3),
}
MODELS = list(DECLARED)


def fuse(**settings):
    config = FuseConfig(**settings).with_model_defaults(DECLARED)
    events = [(f"u{user}", "a", user) for user in range(30)] + [("u0", "b", 50)] * 3
    return Fuse(config, name="fuse").fit(make_dataset(events))


def weights(stage, *items):
    return stage.weights(ask(*[()] * len(items), items=ragged(*items)), MODELS)


def test_weights_move_with_the_number_of_users():
    usual, rare = np.array([1.0, 0.8, 0.05]), np.array([0.1, 0.8, 0.3])
    popular, single, unknown, both = weights(fuse(), [0], [1], [99], [0, 1])
    assert popular == pytest.approx(0.75 * usual + 0.25 * rare)
    assert single == pytest.approx((usual + 10 * rare) / 11)
    assert unknown == pytest.approx(rare)
    assert both == pytest.approx((popular + single) / 2)


def test_no_item_is_rare_without_the_setting_or_without_a_fit():
    usual = pytest.approx([1.0, 0.8, 0.05])
    assert weights(fuse(rare_item_users=0.0), [1])[0] == usual
    unfitted = Fuse(FuseConfig().with_model_defaults(DECLARED), name="fuse")
    assert weights(unfitted, [1])[0] == usual


def test_recipe_goes_before_what_models_declare():
    stage = fuse(rare_item_query_weights={"fields": 2.0}, item_query_weights={"*": 1.0})
    assert weights(stage, [99])[0] == pytest.approx([1.0, 2.0, 1.0])
    everywhere = fuse(rare_item_query_weights={"*": 0.5, "top": 0.0})
    assert weights(everywhere, [99])[0] == pytest.approx([0.5, 0.5, 0.0])


def test_queries_of_users_and_words_have_their_own_weights():
    user, words = fuse().weights(ask((0,), (), texts=(None, "mug")), MODELS)
    assert user == pytest.approx([1.0, 1.0, 1.0])
    assert words == pytest.approx([0.1, 0.1, 0.1])


def test_counts_are_saved_and_a_bundle_from_before_loads_without(tmp_path):
    stage = fuse()
    stage.save(tmp_path)
    loaded = Fuse.load(stage.config, "fuse", tmp_path)
    assert weights(loaded, [1])[0] == pytest.approx(weights(stage, [1])[0])
    (tmp_path / "state.json").write_text('{"_learned": null}', encoding="utf-8")
    earlier = Fuse.load(stage.config, "fuse", tmp_path)
    assert weights(earlier, [1])[0] == pytest.approx([1.0, 0.8, 0.05])
