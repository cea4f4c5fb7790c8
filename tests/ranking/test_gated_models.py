"""Strands that have to earn their place in the fusion."""

from dataclasses import replace

import numpy as np
import pytest

from plait.data.types import CandidateLists
from tests.ranking.candidate_fixtures import ask, candidates, ragged
from tests.ranking.planted_signal import fuse, text_items, weights_of, world


def brought_by_dice_alone(items, width=30, last=6):
    """The same, the `last` candidates of each query brought by the third strand and no other."""
    ranks = np.tile(np.arange(width, dtype=np.int32), (len(items.item_numbers), 1))
    known = np.where(ranks < width - last, ranks, -1)
    return items.with_columns(
        **{"short.rank": known, "long.rank": known, "dice.rank": np.where(known < 0, ranks, -1)}
    )


def test_a_strand_that_does_not_earn_its_place_is_as_good_as_not_there():
    asked, items, targets = world()
    items = brought_by_dice_alone(items)
    targets = ragged(*[[target] if target < 24 else [] for target in targets.values.tolist()])
    learned = fuse(require_gain=("dice",)).learn_weights(asked, items, targets)
    known = items.columns["short.rank"] >= 0
    columns = {
        name: column for name, column in items.columns.items() if not name.startswith("dice")
    }
    bare = CandidateLists(np.where(known, items.item_numbers, -1), columns)
    without = fuse().learn_weights(asked, bare, targets)
    for gated, ungated in zip(weights_of(learned), weights_of(without), strict=True):
        assert gated.pop("dice") == 0
        assert gated == ungated
    assert learned.describe()["scalars"] == without.describe()["scalars"]
    scores = learned.apply(asked, items).column("score")
    assert np.isnan(scores[~known]).all()
    assert scores[known] == pytest.approx(without.apply(asked, bare).column("score")[known])


def test_what_only_a_strand_brings_is_a_reason_to_keep_it():
    asked, items, targets = world()
    learned = fuse(require_gain=("dice",)).learn_weights(
        asked, brought_by_dice_alone(items), targets
    )
    assert np.isfinite(learned.apply(asked, items).column("score")).all()


def test_a_strand_that_earns_its_place_changes_nothing_by_being_asked_to():
    asked, items, targets = world()
    learned = fuse(require_gain=("long", "nobody")).learn_weights(asked, items, targets)
    assert learned.describe() == fuse().learn_weights(asked, items, targets).describe()


def test_who_has_to_earn_a_place_still_speaks_where_words_or_items_are_asked_with():
    asked, items, targets = world()
    learned = fuse(require_gain=("dice",)).learn_weights(asked, items, targets)
    assert all(band["dice"] == 0 for band in weights_of(learned))
    items = text_items().with_columns(**{"dice.score": np.array([[1, 2, 3, 4]], np.float32)})
    words = replace(ask(()), texts=("mug",))
    assert learned.apply(words, items).column("dice.share").any()


def test_without_a_test_nobody_has_earned_a_place():
    asked, items, targets = world()
    items = brought_by_dice_alone(items)
    known = items.columns["short.rank"] >= 0
    columns = {
        name: column for name, column in items.columns.items() if not name.startswith("dice")
    }
    bare = CandidateLists(np.where(known, items.item_numbers, -1), columns)
    nobody = ragged(*[[] for _ in range(len(targets))])
    for untaught in (
        fuse(require_gain=("dice",)),
        fuse(require_gain=("dice",)).learn_weights(asked, items, nobody),
    ):
        scores = untaught.apply(asked, items).column("score")
        assert np.isnan(scores[~known]).all()
        assert scores[known] == pytest.approx(fuse().apply(asked, bare).column("score")[known])


def test_who_is_alone_need_not_earn_anything():
    asked, items, _ = world()
    alone = items.columns.keys() - {name for name in items.columns if name.startswith("dice")}
    columns = {name: column for name, column in items.columns.items() if name not in alone}
    lone = CandidateLists(items.item_numbers, columns)
    scores = fuse(require_gain=("dice",)).apply(asked, lone).column("score")
    assert scores == pytest.approx(fuse().apply(asked, lone).column("score"), nan_ok=True)
    assert np.isfinite(scores).any()


def test_where_all_put_the_history_first_the_best_of_them_leads():
    """Nobody takes anything twice: the targets are behind the twelve that were taken."""
    random = np.random.default_rng(0)
    taken = np.arange(30) < 12
    right, wrong = random.random((2, 600, 30)) + 9 * taken
    targets = np.where(taken, -1, right).argmax(axis=1)
    items = candidates(
        *[range(30)] * 600,
        repeat__score=(taken + wrong * 0).astype(np.float32),
        wrong__score=wrong.astype(np.float32),
        right__score=right.astype(np.float32),
    )
    stage = fuse().learn_weights(
        ask(*[[0, 1, 2]] * 600), items, ragged(*[[target] for target in targets])
    )
    for weights in weights_of(stage):
        assert weights["right"] > 0
        assert weights["repeat"] == weights["wrong"] == 0
