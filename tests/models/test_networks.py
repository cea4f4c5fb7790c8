"""What `sequence` is judged by while it trains, and how its candidates are chosen."""

import itertools
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from plait.data.ragged import Ragged
from plait.data.types import History, QueryBatch
from plait.models.sequential.hstu import HSTU
from plait.models.sequential.torch_topk import likeliest
from plait.models.sequential.transformer import Transformer
from plait.pipeline.fit_context import ValidationSet
from plait.pipeline.topk import top_k
from plait.training.ranking_validation import RankingValidation


def asked_of(count):
    """So many questions with one event each."""
    offsets = np.arange(count + 1, dtype=np.int64)
    zeros = np.zeros(count, np.int64)
    weights = np.ones(count, np.float32)
    return QueryBatch.of_histories(History(offsets, zeros.astype(np.int32), zeros, weights))


def held_out(queries, targets, n_items):
    rows = np.arange(1, n_items + 1, dtype=np.int32)
    return RankingValidation(ValidationSet(queries, Ragged.from_rows(targets)), rows, 50)


def ndcg_of_scores(scores, targets, blocked=None):
    """NDCG@10 of a network that scores items so, `scores` [B, n]."""
    queries = asked_of(len(scores))
    if blocked is not None:
        queries = replace(queries, blocked=Ragged.from_rows(blocked))
    states = torch.tensor(scores, dtype=torch.float32)
    asked = held_out(queries, targets, states.shape[1])
    return asked.ndcg(lambda chosen: states[torch.from_numpy(chosen)], torch.eye(states.shape[1]))


def by_lot(scores, targets, blocked):
    """The same by hand: the mean over the orders of a few equals."""
    discount = 1 / np.log2(np.arange(10) + 2)
    gained = []
    for row, wanted, barred in zip(scores, targets, blocked, strict=True):
        worth = []
        for order in itertools.permutations([one for one in range(len(row)) if one not in barred]):
            sorted_so = sorted(order, key=lambda one: -row[one])[:10]
            worth.append(sum(discount[sorted_so.index(one)] for one in wanted if one in sorted_so))
        gained.append(np.mean(worth) / discount[: len(wanted)].sum())
    return np.mean(gained)


@settings(max_examples=40)
@given(st.lists(st.lists(st.integers(0, 2), min_size=5, max_size=5), min_size=1, max_size=3))
def test_equal_scores_count_as_if_drawn_by_lot(scores):
    targets = [[0, 1], [2], [4, 3]][: len(scores)]
    blocked = [[2], [], [0, 1]][: len(scores)]
    assert ndcg_of_scores(scores, targets, blocked) == pytest.approx(
        by_lot(scores, targets, blocked)
    )


def test_what_a_mask_rules_out_is_no_rival_and_an_empty_question_is_none():
    scores = [[5, 4, 3, 2], [1, 2, 3, 4], [4, 3, 2, 1]]
    queries = replace(asked_of(3), mask=np.array([[False, True, True, True]]))
    rows = np.array([2, 1, 4, 3], np.int32)  # the first item stands in the second row
    asked = RankingValidation(ValidationSet(queries, Ragged.from_rows([[2], [1], []])), rows, 50)
    states = torch.tensor(scores, dtype=torch.float32)[:, [1, 0, 3, 2]]
    found = asked.ndcg(lambda chosen: states[torch.from_numpy(chosen)], torch.eye(4))
    assert found == pytest.approx((1 / np.log2(3) + 1 / np.log2(4)) / 2)
    each = replace(queries, mask=np.repeat(queries.mask, 3, axis=0))
    each.mask[0, 1] = False
    asked = RankingValidation(ValidationSet(each, Ragged.from_rows([[2], [1], []])), rows, 50)
    found = asked.ndcg(lambda chosen: states[torch.from_numpy(chosen)], torch.eye(4))
    assert found == pytest.approx((1 + 1 / np.log2(4)) / 2)
    none = RankingValidation(ValidationSet(queries, Ragged.from_rows([[], [], []])), rows, 50)
    assert none.ndcg(lambda chosen: states[torch.from_numpy(chosen)], torch.eye(4)) == 0


def test_places_behind_the_tenth_are_worth_nothing():
    scores = [list(range(12, 0, -1))]
    found = [ndcg_of_scores(scores, [[place]]) for place in range(12)]
    expected = [*(1 / np.log2(np.arange(10) + 2)), 0, 0]
    assert found == pytest.approx(expected)
    # Twelve equals: each stands at each of the twelve places equally often.
    assert ndcg_of_scores(np.zeros((1, 12)), [[3]]) == pytest.approx(np.sum(expected) / 12)


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_a_broken_network_is_the_worst_of_all(broken):
    asked = held_out(asked_of(3), [[0], [1], [2]], 5)
    vectors = torch.ones(5, 1)
    assert asked.ndcg(lambda chosen: torch.full((len(chosen), 1), broken), vectors) == 0
    vectors[1] = broken
    one, two = asked_of(1), torch.ones(1, 1)
    assert held_out(one, [[1]], 5).ndcg(lambda _: two, vectors) == 0


def test_an_item_without_a_score_stands_behind_the_others():
    vectors = torch.tensor([[1.0], [float("nan")], [0.5]])
    ones = torch.ones(1, 1)
    assert held_out(asked_of(1), [[0]], 3).ndcg(lambda _: ones, vectors) == 1


def test_many_questions_take_no_more_memory_than_a_few():
    count, n_items = 400, 50_000
    random = torch.Generator().manual_seed(0)
    states, items = (torch.randn(one, 4, generator=random) for one in (count, n_items))
    best = (states @ items.T).argmax(1).tolist()
    pairs = [[one, (one + 1) % n_items] for one in best]
    widest = []

    class Watched(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            found = func(*args, **(kwargs or {}))
            if isinstance(found, torch.Tensor):
                widest.append(found.numel())
            return found

    asked = held_out(asked_of(count), pairs, n_items)
    with Watched():
        found = asked.ndcg(lambda chosen: states[torch.from_numpy(chosen)], items)
    assert max(widest) <= 1 << 22
    assert found >= 1 / (1 + 1 / np.log2(3))


def chosen_by(scores, ties, k, blocked=()):
    """Sets of items, by the numbers that `ties` are the hashes of."""
    state = SimpleNamespace(catalogue=SimpleNamespace(tiebreak=ties))
    queries = replace(
        asked_of(len(scores)),
        live=SimpleNamespace(state=state, deltas={}),
        blocked=Ragged.from_rows([list(blocked)] * len(scores)),
    )
    return likeliest(scores, queries, np.arange(len(scores)), k)


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 6))
def test_the_best_are_those_of_core_whatever_ties_at_the_border(seed, k, levels):
    random = np.random.default_rng(seed)
    scores = random.integers(0, levels, (4, 30)).astype(np.float32)
    scores[random.random(scores.shape) < 0.2] = -np.inf
    ties = random.permutation(30).astype(np.uint64)
    before = scores.copy()
    found = chosen_by(scores, ties, k, blocked=[3, 8])
    np.testing.assert_array_equal(scores, before)
    scores[:, [3, 8]] = -np.inf
    np.testing.assert_array_equal(found, top_k(scores, k, ties=ties)[0])


def test_renumbered_items_bring_the_same_candidates():
    random = np.random.default_rng(0)
    ties = random.permutation(500).astype(np.uint64)
    scores = (np.arange(500) < 20).astype(np.float32)[None]
    order = random.permutation(500)
    found = order[chosen_by(scores[:, order], ties[order], 50)]
    np.testing.assert_array_equal(found, chosen_by(scores, ties, 50))


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_the_last_place_alone_is_what_the_whole_history_has_there(timed, causal):
    torch.manual_seed(3)
    network = Transformer(16, 3, 2, 9, 0.1, timed=timed, causal=causal).eval()
    torch.nn.init.normal_(network.bias.steps)
    states, last = torch.randn(5, 8, 16), torch.tensor([0, 7, 3, 3, 5])
    there = torch.arange(8) <= last[:, None]
    seconds = torch.arange(8).expand(5, 8) * torch.tensor([[1], [60], [3600], [7], [0]])
    with torch.inference_mode():
        whole = network(states, there, seconds if timed else None)
        found = network.last_state(states, there, seconds if timed else None, last)
    torch.testing.assert_close(found, whole[torch.arange(5), last])


@pytest.mark.parametrize("make", [HSTU, partial(Transformer, causal=True)])
def test_every_layer_learns_a_time_bias_of_its_own(make):
    torch.manual_seed(3)
    network = make(16, 2, 4, 9, 0.0, timed=True)
    states, there = torch.randn(5, 8, 16), torch.ones(5, 8, dtype=torch.bool)
    seconds = 60 * torch.arange(8).expand(5, 8)
    network(states, there, seconds).square().sum().backward()
    for learned in (network.bias.steps, network.bias.times):
        first, second = learned.grad[:4], learned.grad[4:]
        assert first.abs().sum() > 0
        assert second.abs().sum() > 0
        assert (first - second).abs().max() > 1e-6
    with torch.no_grad():
        network.bias.steps[4:] = torch.randn(4, 17)
        told = network.bias(there, seconds, barred=0.0)
    assert len(told) == 2
    assert (told[0] == 0).all()
    assert (told[1] != 0).any()
