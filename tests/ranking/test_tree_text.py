"""Trees of LightGBM are read strictly: the same trees come back, damaged text is refused."""

import random

import numpy as np
import pytest

from plait.errors import BundleError
from plait.ranking.fusion.learned_ranker import TreeRanker
from plait.ranking.fusion.tree_text import checked_trees

lightgbm = pytest.importorskip("lightgbm")


def features(seed=0):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((600, 4)).astype(np.float32)
    values[rng.random(values.shape) < 0.2] = np.nan
    values[rng.random(values.shape) < 0.2] = 0
    return values


def trained(**settings):
    values = features()
    targets = np.nan_to_num(values[:, 0]) + np.nan_to_num(values[:, 1]) > 0.5
    data = lightgbm.Dataset(values, targets, group=[30] * 20, params={"verbose": -1, **settings})
    chosen = {"objective": "lambdarank", "verbose": -1, "num_leaves": 7, "num_threads": 1}
    return lightgbm.train({**chosen, **settings}, data, 12)


@pytest.mark.parametrize("settings", [{}, {"zero_as_missing": True}, {"use_missing": False}])
def test_checked_trees_predict_exactly_what_the_trees_predict(settings):
    booster = trained(**settings)
    checked = lightgbm.Booster(model_str=checked_trees(booster.model_to_string()))
    for count in (1, 5, 12):
        np.testing.assert_array_equal(
            checked.predict(features(1), num_iteration=count),
            booster.predict(features(1), num_iteration=count),
        )


def test_a_tree_without_a_split_is_read():
    booster = trained(min_data_in_leaf=1000)
    assert "num_leaves=1\n" in booster.model_to_string()
    checked = lightgbm.Booster(model_str=checked_trees(booster.model_to_string()))
    np.testing.assert_array_equal(checked.predict(features()), booster.predict(features()))


def test_damaged_trees_are_refused_before_lightgbm_reads_them():
    text = trained().model_to_string()
    rng = random.Random(0)
    refused = 0
    for _ in range(150):
        start = rng.randrange(len(text))
        stop = start + rng.randrange(1, 40)
        damaged = text[:start] + rng.choice(["", "-1", "99", "nan", "x", "\n"]) + text[stop:]
        ranker = TreeRanker(("a", "b"), damaged, 12, {})
        try:
            assert np.isfinite(ranker.adjustments(features())).all()
        except BundleError:
            refused += 1
    assert refused > 40


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("left_child", "0"),
        ("split_feature", "4"),
        ("decision_type", "1"),
        ("leaf_value", "nan"),
        ("num_leaves", "99999999"),
        ("max_feature_idx", "9"),
    ],
)
def test_trees_that_name_what_there_is_not_are_refused(name, value):
    head, _, rest = trained().model_to_string().partition(f"\n{name}=")
    line, _, tail = rest.partition("\n")
    first, *others = line.split()
    damaged = f"{head}\n{name}={' '.join([value, *others])}\n{tail}"
    assert first != value
    with pytest.raises(BundleError):
        checked_trees(damaged)
