"""Tests that stages declare search spaces for their settings, or have a reason not to."""

import dataclasses

import pytest

from plait.pipeline.registry import load_all_stages
from plait.pipeline.search_space import get_setting, search_space

NOT_SEARCHED = {
    "given": "it looks scores up",
    "lexical": "it scores queries with text, and no protocol has such queries",
    "relevance": "how many trees there are follows from queries that were held out",
    "rules": "rules follow from the business, not from accuracy",
    "explain": "it computes no score",
}


@pytest.mark.parametrize("name", sorted(load_all_stages()))
def test_stage_declares_search_spaces_that_contain_its_defaults(name):
    config = load_all_stages()[name].Config
    if dataclasses.fields(config):
        assert bool(search_space(config)) != (name in NOT_SEARCHED)
    for field, space in search_space(config).items():
        assert space.holds(get_setting(config(), field)), field
    fields = {field.name for field in dataclasses.fields(config)}
    inactive = getattr(config(), "inactive_settings", ())
    assert {setting.partition(".")[0] for setting in inactive} <= fields


@pytest.mark.parametrize(
    ("name", "settings", "active", "inactive"),
    [
        ("popular", {}, {"half_life_days"}, {"segment_weight"}),
        ("popular", {"segment_by": "country"}, {"half_life_days", "segment_weight"}, set()),
        ("repeat", {}, {"basket_decay"}, {"group_decay", "neighbor_weight"}),
        (
            "repeat",
            {"n_groups": 2, "n_neighbors": 9},
            {"basket_decay", "group_decay", "neighbor_weight"},
            set(),
        ),
        (
            "sequence",
            {},
            {"embedding_dim", "label_smoothing", "training.learning_rate"},
            {"mask_probability", "num_negatives"},
        ),
        ("sequence", {"loss": "sampled"}, {"num_negatives", "embedding_dim"}, {"label_smoothing"}),
        (
            "sequence",
            {"network": "bert4rec", "num_heads": 3, "embedding_dim": 63},
            {"mask_probability"},
            {"embedding_dim"},
        ),
        (
            "graph",
            {},
            {"embedding_dim", "num_layers", "num_negatives", "training.learning_rate"},
            set(),
        ),
        ("factors", {"method": "neumf"}, {"training.learning_rate"}, {"learning_rate"}),
        ("factors", {"method": "bpr"}, {"learning_rate"}, {"training.learning_rate"}),
    ],
)
def test_inactive_settings_are_not_searched(name, settings, active, inactive):
    config = load_all_stages()[name].Config(**settings)
    searched = set(search_space(type(config))) - set(getattr(config, "inactive_settings", ()))
    assert active <= searched
    assert not inactive & searched
