"""Fitting a recipe and its fusion."""

import numpy as np
import pytest

from plait.data.types import CandidateLists
from plait.pipeline.batch_inference import batch_size, concat_candidates, in_batches
from plait.splitting.splits import default_split, leave_one_out
from plait.training.recipe_fit import fit_recipe
from tests.dataset_fixtures import random_rows, world
from tests.evaluation.fake_stages import recipe, witness

DATA = world(random_rows())


@pytest.fixture(autouse=True)
def fresh_witness():
    witness.__init__()


def test_strands_are_fitted_twice_and_scalars_learned_between():
    split = default_split(DATA)
    found = fit_recipe(recipe("Spy"), DATA, split, refit=True)
    assert [len(one.interactions) for one in witness.fits] == [
        len(split.train.interactions),
        len(DATA.interactions),
    ]
    assert found.steps[0].learned == 2
    assert found.version == DATA.version


def test_without_refit_there_is_one_fit():
    split = leave_one_out(DATA, "validation")
    found = fit_recipe(recipe("Spy"), DATA, split, refit=False)
    assert len(witness.fits) == 1
    assert found.steps[0].learned == 2


@pytest.mark.parametrize("refit", [True, False])
def test_tiny_data_learn_nothing_and_raise_nothing(refit):
    tiny = world(random_rows(users=5, events=40))
    found = fit_recipe(recipe("Spy"), tiny, default_split(tiny), refit=refit)
    assert found.steps[0].learned == 1
    assert len(witness.fits) == 1
    assert not witness.taught


def test_an_empty_log_and_no_split_are_fitted():
    empty = world([])
    assert fit_recipe(recipe("Counts"), empty, default_split(empty), refit=True).version == 0
    assert fit_recipe(recipe("Counts"), DATA, None, refit=False).version == DATA.version


def test_what_was_seen_is_not_brought_where_the_split_says_so():
    split = leave_one_out(DATA, "validation", "remove")
    fit_recipe(recipe("Counts"), DATA, split, refit=False)
    ((queries, items, _),) = witness.taught
    for row in range(len(queries)):
        assert not np.isin(items.item_numbers[row], queries.seen[row]).any()


def test_watch_and_progress_hear_of_every_stage():
    seconds, told = {}, []
    fit_recipe(
        recipe("Counts", "Follows"),
        DATA,
        default_split(DATA),
        refit=True,
        watch=seconds.__setitem__,
        progress=lambda *one: told.append(one),
    )
    assert set(seconds) == {"counts", "follows"}
    assert ("fit", 2, 2) in told
    assert any(what == "learn" and done == total for what, done, total in told)


def test_batches_come_in_order_and_errors_come_out():
    queries = leave_one_out(DATA).queries
    found = list(in_batches(queries, lambda start, piece: (start, len(piece)), size=7))
    assert [start for start, _ in found] == list(range(0, len(queries), 7))
    assert sum(size for _, (_, size) in found) == len(queries)
    with pytest.raises(ZeroDivisionError):
        list(in_batches(queries, lambda start, piece: 1 / 0, size=7))


def test_stacking_pads():
    parts = [
        CandidateLists(np.array([[1, 2]], np.int32), {"a.score": np.ones((1, 2), np.float32)}),
        CandidateLists(np.array([[3], [4]], np.int32), {"a.score": np.ones((2, 1), np.float32)}),
    ]
    whole = concat_candidates(parts)
    assert whole.item_numbers.tolist() == [[1, 2], [3, -1], [4, -1]]
    assert np.isnan(whole.column("a.score")[1:, 1]).all()
    assert not parts
    assert concat_candidates([]).shape == (0, 0)


def test_batches_shrink_as_the_catalogue_grows():
    assert batch_size(10) == 512
    assert batch_size(12_101) * 12_101 <= 1 << 22
    assert batch_size(10**7) == 16
