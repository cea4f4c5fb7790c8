"""The slate: best first, equals by the hash of their ids, pins in their places."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from plait.data.types import CandidateLists
from plait.ranking.final_order import Policy
from tests.ranking.candidate_fixtures import ask, candidates, live

POLICY = Policy(name="policy")
NAN = float("nan")


def shown(items):
    order = items.column("order")
    return [
        [
            int(items.item_numbers[row, np.nonzero(order[row] == place)[0][0]])
            for place in range(order[row].max(initial=-1) + 1)
        ]
        for row in range(len(order))
    ]


def test_best_first_then_those_without_a_score_then_nothing():
    items = candidates([4, 5, 6, 7], [1, 2], score=[[1, NAN, 3, 2], [0, 5, NAN, NAN]])
    placed = POLICY.apply(ask((), (), k=4), items)
    assert shown(placed) == [[6, 7, 4, 5], [2, 1]]
    assert placed.column("propensity")[1].tolist() == [1, 1, 0, 0]
    assert shown(POLICY.apply(ask((), (), k=2), items)) == [[6, 7], [2, 1]]
    assert shown(POLICY.apply(ask((), (), k=0), items)) == [[], []]


def test_removed_candidates_are_not_shown():
    items = candidates([4, 5, 6], score=[[1, 2, 3]]).mark_removed(
        np.array([[0, 0, 1]], bool), "seen"
    )
    assert shown(POLICY.apply(ask(k=3), items)) == [[5, 4]]


def test_equals_go_by_the_hash_of_the_id():
    items = candidates([0, 1, 2, 3, 4], score=[[1, 1, 1, 1, 1]])
    world = live()
    hashes = world.state.catalogue.tiebreak
    expected = sorted(range(5), key=lambda number: hashes[number])
    assert shown(POLICY.apply(ask(k=5, live=world), items)) == [expected]
    assert shown(POLICY.apply(ask(k=2, live=world), items)) == [expected[:2]]
    assert shown(POLICY.apply(ask(k=2), items)) == [[0, 1]]


def test_pins_take_their_places_and_the_rest_moves_on():
    pinned = np.array([[-1, 2, -1, 0, -1]], np.int32)
    items = candidates([0, 1, 2, 3, 4], score=[[5, 1, 4, 2, 3]]).with_columns(pinned=pinned)
    assert shown(POLICY.apply(ask(k=5), items)) == [[3, 0, 1, 2, 4]]
    assert shown(POLICY.apply(ask(k=2), items)) == [[3, 0]]
    gone = items.mark_removed(pinned == 0, "deleted")
    assert shown(POLICY.apply(ask(k=3), gone)) == [[0, 2, 1]]


def test_pins_that_want_one_place_and_a_slate_that_is_too_short():
    pinned = np.array([[7, 0, 0]], np.int32)
    items = candidates([0, 1, 2], score=[[9, 1, 2]]).with_columns(pinned=pinned)
    assert shown(POLICY.apply(ask(k=8), items)) == [[2, 1, 0]]
    assert shown(POLICY.apply(ask(k=2), items)) == [[2, 1]]


matrices = st.lists(
    st.lists(st.sampled_from([0.0, 1.0, 2.0, NAN, -np.inf]), max_size=7), min_size=1, max_size=5
)


@given(matrices, st.integers(0, 8), st.booleans())
def test_against_sorting_and_batch_equals_single(rows, k, ids):
    width = max(len(row) for row in rows)
    score = np.array([row + [NAN] * (width - len(row)) for row in rows], np.float32)
    items = replace(candidates(*[range(len(row)) for row in rows]), columns={"score": score})
    world = live() if ids else None
    ties = world.state.catalogue.tiebreak if ids else np.arange(8)
    actual = shown(POLICY.apply(ask(*[()] * len(rows), k=k, live=world), items))
    for row, values in enumerate(rows):
        worth = [-np.inf if value != value else value for value in values]
        expected = sorted(range(len(row_numbers := worth)), key=lambda n: (-worth[n], ties[n]))
        assert actual[row] == expected[:k]
        assert len(row_numbers) == len(values)
        alone = CandidateLists(items.item_numbers[row : row + 1], {"score": score[row : row + 1]})
        assert shown(POLICY.apply(ask((), k=k, live=world), alone))[0] == actual[row]
