"""Rows of other fusions: by another method, without a model, and what a ranker learns from."""

import numpy as np
import pytest

from plait.evaluation.evaluate import evaluate
from plait.evaluation.protocol import Protocol
from plait.evaluation.ranking.folds import make_folds
from plait.evaluation.ranking.fusion_rows import FusionOptions
from plait.pipeline.recipe import Recipe
from tests.dataset_fixtures import random_rows, world
from tests.pipeline.fake_stages import HERE

DATA = world(random_rows())
MODELS = ("popular", "neighbours")
OTHERS = ("bagging", "rrf", "borda", "majority", "lambdarank", "mixer")


def recipe(method="weighted"):
    models = {name: {} for name in MODELS}
    return Recipe.of({"name": "toy", "models": models, "steps": {"fuse": {"method": method}}})


def measured(recipe, protocol="leave-one-out", **options):
    protocol = Protocol(protocol, k=(10,), resamples=50, seen="remove")
    return evaluate(DATA, [recipe], protocol, fusion=FusionOptions(**options))


@pytest.fixture(scope="module")
def report():
    return measured(recipe(), methods=True, ablate=True)


def value(report, row):
    return report.result(row).metrics["ndcg@10"].value


def test_the_default_table_keeps_its_rows():
    rows = {row.model for row in measured(recipe()).results}
    assert rows == {"fused", *MODELS, "popular-recent", "popular-all"}


def test_every_other_method_and_every_model_left_out_has_a_row(report):
    rows = {row.model for row in report.results}
    expected = {f"fused:{method}" for method in OTHERS}
    expected |= {f"fused:{method}:validation" for method in ("lambdarank", "mixer")}
    expected |= {f"without:{name}" for name in MODELS}
    assert rows - {"fused", *MODELS, "popular-recent", "popular-all"} == expected


def test_a_row_is_what_the_recipe_of_that_method_scores(report):
    for method in ("borda", "mixer"):
        alone = measured(recipe(method=method))
        assert value(alone, "fused") == pytest.approx(value(report, f"fused:{method}"), abs=1e-9)


def test_without_all_others_the_last_model_is_alone(report):
    for name, other in (MODELS, MODELS[::-1]):
        assert value(report, f"without:{other}") == pytest.approx(value(report, name), abs=1e-6)


def test_the_served_fusion_is_compared_with_each_row_in_one_metric(report):
    pairs = [(gap.metric, gap.against) for gap in report.paired if ":" in gap.against]
    assert len(pairs) == len(set(pairs)) == len(OTHERS) + 2 + len(MODELS)
    assert {metric for metric, _ in pairs} == {"ndcg@10"}


def test_a_ranker_never_learns_from_validation_targets_without_a_second_fit():
    protocol = Protocol("leave-one-out", k=(10,), seen="remove").resolved(DATA, recipe())
    (fold,) = make_folds(DATA, protocol, {})
    inner = fold.ranker_split()
    train = {tuple(pair) for pair in pairs_of(fold.learn.train)}
    targets = np.stack([inner.users[inner.targets.rows], inner.targets.values], axis=1)
    assert {tuple(pair) for pair in targets.tolist()} <= train
    assert len(inner.train.interactions) + len(inner) <= len(fold.learn.train.interactions)
    by_time = Protocol("time", k=(10,)).resolved(DATA, recipe())
    assert all(fold.ranker_split is None for fold in make_folds(DATA, by_time, {}))


def pairs_of(dataset):
    return np.stack([dataset.interactions.users, dataset.interactions.items], axis=1).tolist()


def test_the_served_method_has_no_row_of_its_own():
    rows = {row.model for row in measured(recipe("mixer"), methods=True).results}
    assert {"fused:weighted", "fused:mixer:validation"} <= rows
    assert "fused:mixer" not in rows


def test_rows_by_time_learn_from_the_window_before_the_cut():
    rows = {row.model for row in measured(recipe(), "time", methods=True).results}
    assert "fused:mixer" in rows
    assert not [row for row in rows if row.endswith(":validation")]


def test_the_report_names_models_that_add_nothing():
    level = {"name": "toy", "models": {"neighbours": {}, "level": {"stage": f"{HERE}:Level"}}}
    report = measured(Recipe.of({**level, "steps": {"fuse": {}}}), ablate=True)
    lines = [line for line in str(report).splitlines() if "adds nothing" in line]
    assert [line.split()[0] for line in lines] == ["level"]
