"""Every stage says where its settings are worth searching, or here stands why none is."""

import dataclasses

import pytest

from plait.pipeline.registry import load_all_stages
from plait.pipeline.search_space import get_setting, search_space

NONE = {
    "lexical": "it speaks where a query has words, and no protocol asks with words",
    "rules": "what may be shown is the shop's to decide, not accuracy's",
    "explain": "it computes no score",
}


@pytest.mark.parametrize("name", sorted(load_all_stages()))
def test_settings_can_be_searched(name):
    config = load_all_stages()[name].Config
    if dataclasses.fields(config):
        assert bool(search_space(config)) != (name in NONE)
    for field, space in search_space(config).items():
        assert space.holds(get_setting(config(), field)), field
    fields = {one.name for one in dataclasses.fields(config)}
    assert {one.partition(".")[0] for one in getattr(config(), "inactive_settings", ())} <= fields


@pytest.mark.parametrize(
    ("name", "changes", "some", "none"),
    [
        ("popular", {}, {"half_life_days"}, {"context_weight"}),
        ("popular", {"by": "country"}, {"half_life_days", "context_weight"}, set()),
        ("repeat", {}, {"decay"}, {"group_decay", "share"}),
        ("repeat", {"groups": 2, "neighbours": 9}, {"decay", "group_decay", "share"}, set()),
        ("sequence", {}, {"dim", "smoothing", "training.learning_rate"}, {"mask", "negatives"}),
        ("sequence", {"loss": "sampled"}, {"negatives", "dim"}, {"smoothing"}),
        ("sequence", {"network": "bert4rec", "heads": 3, "dim": 63}, {"mask"}, {"dim"}),
        ("graph", {}, {"dim", "layers", "negatives", "training.learning_rate"}, set()),
        ("factors", {"method": "neumf"}, {"training.learning_rate"}, {"learning_rate"}),
        ("factors", {"method": "bpr"}, {"learning_rate"}, {"training.learning_rate"}),
    ],
)
def test_what_counts_for_nothing_is_not_searched(name, changes, some, none):
    config = load_all_stages()[name].Config(**changes)
    found = set(search_space(type(config))) - set(getattr(config, "inactive_settings", ()))
    assert some <= found
    assert not none & found
