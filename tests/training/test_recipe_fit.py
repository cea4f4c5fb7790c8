"""Fitting a recipe and its fusion."""

import numpy as np
import pytest

from plait.data.types import CandidateLists
from plait.pipeline.batch_inference import batch_size, concat_candidates, in_batches
from plait.pipeline.recipe import Recipe
from plait.splitting.splits import default_split, leave_one_out
from plait.training.pipeline_fit import fit_recipe
from tests.dataset_fixtures import random_rows, world
from tests.evaluation.fake_stages import recipe, witness

DATA = world(random_rows())


@pytest.fixture(autouse=True)
def fresh_witness():
    witness.__init__()


def test_with_refit_models_are_fitted_twice_and_weights_learned_between():
    split = default_split(DATA)
    pipeline = fit_recipe(recipe("Spy", "Counts"), DATA, split, refit=True)
    assert [len(dataset.interactions) for dataset in witness.fits] == [
        len(split.train.interactions),
        len(DATA.interactions),
    ]
    assert pipeline.steps[0].learned == 2
    assert pipeline.version == DATA.version


def test_without_refit_models_are_fitted_once():
    split = leave_one_out(DATA, "validation")
    pipeline = fit_recipe(recipe("Spy", "Counts"), DATA, split, refit=False)
    assert len(witness.fits) == 1
    assert pipeline.steps[0].learned == 2


@pytest.mark.parametrize(
    ("models", "fixed", "fits"),
    [
        (("Spy", "Counts"), {}, 2),
        (("Spy",), {}, 1),
        (("Spy", "Counts"), {"weights": {"spy": [1.0], "counts": [2.0]}}, 1),
    ],
)
def test_a_model_is_fitted_once_where_the_fusion_has_no_weight_to_learn(models, fixed, fits):
    toy = recipe(*models).to_dict()
    toy["steps"] = {"fuse": {"fixed": fixed}}
    pipeline = fit_recipe(Recipe.of(toy), DATA, default_split(DATA), refit=True)
    assert len(witness.fits) == fits
    learned = pipeline.steps[0].learned
    assert (learned is not None) == (len(models) > 1)
    assert not fixed or learned.weights.tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize("refit", [True, False])
def test_with_too_few_queries_nothing_is_learned(refit):
    tiny = world(random_rows(users=5, events=40))
    pipeline = fit_recipe(recipe("Spy", "Counts"), tiny, default_split(tiny), refit=refit)
    assert pipeline.steps[0].learned == 1
    assert len(witness.fits) == 1
    assert not witness.taught


def test_an_empty_log_and_a_missing_split_can_be_fitted():
    empty = world([])
    assert (
        fit_recipe(recipe("Counts", "Follows"), empty, default_split(empty), refit=True).version
        == 0
    )
    assert fit_recipe(recipe("Counts", "Follows"), DATA, None, refit=False).version == DATA.version


def test_seen_items_are_no_candidates_where_the_split_removes_them():
    split = leave_one_out(DATA, "validation", "remove")
    fit_recipe(recipe("Counts", "Follows"), DATA, split, refit=False)
    ((queries, items, _),) = witness.taught
    for row in range(len(queries)):
        assert not np.isin(items.item_numbers[row], queries.seen[row]).any()


def test_watch_and_progress_are_called_for_every_stage():
    seconds, reports = {}, []
    fit_recipe(
        recipe("Counts", "Follows"),
        DATA,
        default_split(DATA),
        refit=True,
        watch=seconds.__setitem__,
        progress=lambda *report: reports.append(report),
    )
    assert set(seconds) == {"counts", "follows"}
    assert {("fit", 2, 2), ("fit again", 2, 2)} <= set(reports)
    for work in ("fit", "fit again"):
        counts = [done for step, done, _ in reports if step == work]
        assert counts == sorted(counts)
    assert any(step == "learn" and done == total for step, done, total in reports)


def test_in_batches_yields_in_order_and_raises_the_error_of_a_batch():
    queries = leave_one_out(DATA).queries
    results = list(in_batches(queries, lambda start, batch: (start, len(batch)), size=7))
    assert [start for start, _ in results] == list(range(0, len(queries), 7))
    assert sum(size for _, (_, size) in results) == len(queries)
    with pytest.raises(ZeroDivisionError):
        list(in_batches(queries, lambda start, batch: 1 / 0, size=7))


def test_concat_candidates_pads_shorter_lists():
    batches = [
        CandidateLists(np.array([[1, 2]], np.int32), {"a.score": np.ones((1, 2), np.float32)}),
        CandidateLists(np.array([[3], [4]], np.int32), {"a.score": np.ones((2, 1), np.float32)}),
    ]
    candidates = concat_candidates(batches)
    assert candidates.item_numbers.tolist() == [[1, 2], [3, -1], [4, -1]]
    assert np.isnan(candidates.column("a.score")[1:, 1]).all()
    assert not batches
    assert concat_candidates([]).shape == (0, 0)


def test_batch_size_shrinks_as_the_catalogue_grows():
    assert batch_size(10) == 512
    assert batch_size(12_101) * 12_101 <= 1 << 22
    assert batch_size(10**7) == 16
