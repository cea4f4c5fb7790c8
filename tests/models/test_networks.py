"""NDCG during training, the k best items, and the layers of the networks of `sequence`."""

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


def queries_of(count):
    """As many queries, with one event each."""
    offsets = np.arange(count + 1, dtype=np.int64)
    zeros = np.zeros(count, np.int64)
    weights = np.ones(count, np.float32)
    return QueryBatch.of_histories(History(offsets, zeros.astype(np.int32), zeros, weights))


def validation_of(queries, targets, n_items):
    rows = np.arange(1, n_items + 1, dtype=np.int32)
    return RankingValidation(ValidationSet(queries, Ragged.from_rows(targets)), rows, 50)


def ndcg_of(validation, scores):
    """NDCG@10 of a network that gives these `scores` [B, n] by table row."""
    states = torch.as_tensor(np.asarray(scores), dtype=torch.float32)
    items = torch.eye(states.shape[1])
    return validation.ndcg(lambda chosen: states[torch.from_numpy(chosen)], items)


def ndcg_of_scores(scores, targets, blocked=None):
    queries = queries_of(len(scores))
    if blocked is not None:
        queries = replace(queries, blocked=Ragged.from_rows(blocked))
    return ndcg_of(validation_of(queries, targets, len(scores[0])), scores)


def ndcg_over_all_orders(scores, targets, blocked):
    """The same by hand: the mean over the orders of a few ties."""
    discounts = 1 / np.log2(np.arange(10) + 2)
    ndcgs = []
    for row, row_targets, row_blocked in zip(scores, targets, blocked, strict=True):
        gains = []
        allowed = [item for item in range(len(row)) if item not in row_blocked]
        for order in itertools.permutations(allowed):
            ranking = sorted(order, key=lambda item: -row[item])[:10]
            ranks = [ranking.index(item) for item in row_targets if item in ranking]
            gains.append(discounts[ranks].sum())
        ndcgs.append(np.mean(gains) / discounts[: len(row_targets)].sum())
    return np.mean(ndcgs)


@settings(max_examples=40)
@given(st.lists(st.lists(st.integers(0, 2), min_size=5, max_size=5), min_size=1, max_size=3))
def test_ndcg_of_ties_is_its_mean_over_all_orders(scores):
    targets = [[0, 1], [2], [4, 3]][: len(scores)]
    blocked = [[2], [], [0, 1]][: len(scores)]
    expected = ndcg_over_all_orders(scores, targets, blocked)
    assert ndcg_of_scores(scores, targets, blocked) == pytest.approx(expected)


def test_masked_items_do_not_compete_and_queries_without_targets_do_not_count():
    queries = replace(queries_of(3), mask=np.array([[False, True, True, True]]))
    rows = np.array([2, 1, 4, 3], np.int32)  # the first item is in the second row
    scores = np.array([[5, 4, 3, 2], [1, 2, 3, 4], [4, 3, 2, 1]])[:, [1, 0, 3, 2]]
    targets = Ragged.from_rows([[2], [1], []])
    shared_mask = RankingValidation(ValidationSet(queries, targets), rows, 50)
    expected = (1 / np.log2(3) + 1 / np.log2(4)) / 2
    assert ndcg_of(shared_mask, scores) == pytest.approx(expected)
    row_masks = replace(queries, mask=np.repeat(queries.mask, 3, axis=0))
    row_masks.mask[0, 1] = False
    validation = RankingValidation(ValidationSet(row_masks, targets), rows, 50)
    assert ndcg_of(validation, scores) == pytest.approx((1 + 1 / np.log2(4)) / 2)
    no_targets = ValidationSet(queries, Ragged.from_rows([[], [], []]))
    assert ndcg_of(RankingValidation(no_targets, rows, 50), scores) == 0


def test_ranks_after_the_tenth_gain_nothing():
    scores = [list(range(12, 0, -1))]
    ndcgs = [ndcg_of_scores(scores, [[rank]]) for rank in range(12)]
    expected = [*(1 / np.log2(np.arange(10) + 2)), 0, 0]
    assert ndcgs == pytest.approx(expected)
    # Twelve ties: each has each of the twelve ranks equally often.
    assert ndcg_of_scores(np.zeros((1, 12)), [[3]]) == pytest.approx(np.sum(expected) / 12)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_network_whose_values_are_not_finite_has_ndcg_zero(value):
    validation = validation_of(queries_of(3), [[0], [1], [2]], 5)
    vectors = torch.ones(5, 1)
    assert validation.ndcg(lambda chosen: torch.full((len(chosen), 1), value), vectors) == 0
    vectors[1] = value
    single = validation_of(queries_of(1), [[1]], 5)
    assert single.ndcg(lambda _: torch.ones(1, 1), vectors) == 0


def test_an_item_without_a_score_is_ranked_last():
    vectors = torch.tensor([[1.0], [float("nan")], [0.5]])
    validation = validation_of(queries_of(1), [[0]], 3)
    assert validation.ndcg(lambda _: torch.ones(1, 1), vectors) == 1


def test_validation_of_many_queries_holds_no_large_tensor():
    count, n_items = 400, 50_000
    random = torch.Generator().manual_seed(0)
    states, items = (torch.randn(size, 4, generator=random) for size in (count, n_items))
    best = (states @ items.T).argmax(1).tolist()
    targets = [[item, (item + 1) % n_items] for item in best]
    sizes = []

    class SizeRecorder(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            result = func(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor):
                sizes.append(result.numel())
            return result

    validation = validation_of(queries_of(count), targets, n_items)
    with SizeRecorder():
        ndcg = validation.ndcg(lambda chosen: states[torch.from_numpy(chosen)], items)
    assert max(sizes) <= 1 << 22
    assert ndcg >= 1 / (1 + 1 / np.log2(3))


def best_items(scores, tiebreak, k, blocked=()):
    """`likeliest` with hashes `tiebreak` and the same blocked items in each row."""
    state = SimpleNamespace(catalogue=SimpleNamespace(tiebreak=tiebreak))
    queries = replace(
        queries_of(len(scores)),
        live=SimpleNamespace(state=state, deltas={}),
        blocked=Ragged.from_rows([list(blocked)] * len(scores)),
    )
    return likeliest(scores, queries, np.arange(len(scores)), k)


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 6))
def test_likeliest_equals_top_k_of_numpy_with_ties_at_the_end(seed, k, levels):
    random = np.random.default_rng(seed)
    scores = random.integers(0, levels, (4, 30)).astype(np.float32)
    scores[random.random(scores.shape) < 0.2] = -np.inf
    tiebreak = random.permutation(30).astype(np.uint64)
    before = scores.copy()
    item_numbers = best_items(scores, tiebreak, k, blocked=[3, 8])
    np.testing.assert_array_equal(scores, before)
    scores[:, [3, 8]] = -np.inf
    np.testing.assert_array_equal(item_numbers, top_k(scores, k, ties=tiebreak)[0])


def test_likeliest_does_not_depend_on_item_numbers():
    random = np.random.default_rng(0)
    tiebreak = random.permutation(500).astype(np.uint64)
    scores = (np.arange(500) < 20).astype(np.float32)[None]
    order = random.permutation(500)
    renumbered = order[best_items(scores[:, order], tiebreak[order], 50)]
    np.testing.assert_array_equal(renumbered, best_items(scores, tiebreak, 50))


def transformer(*, timed, causal, local_branch):
    """A small network with weights that are not zero anywhere."""
    torch.manual_seed(3)
    network = Transformer(16, 3, 2, 9, 0.1, timed=timed, causal=causal, local_branch=local_branch)
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter)
    return network.eval()


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize(
    ("causal", "branch"), [(False, "none"), (True, "none"), (True, "convolution"), (True, "gru")]
)
def test_last_state_equals_the_state_of_the_whole_history(timed, causal, branch):
    network = transformer(timed=timed, causal=causal, local_branch=branch)
    inputs, last = torch.randn(5, 8, 16), torch.tensor([0, 7, 3, 3, 5])
    mask = torch.arange(8) <= last[:, None]
    seconds = torch.arange(8).expand(5, 8) * torch.tensor([[1], [60], [3600], [7], [0]])
    with torch.inference_mode():
        states = network(inputs, mask, seconds if timed else None)
        last_states = network.last_state(inputs, mask, seconds if timed else None, last)
    torch.testing.assert_close(last_states, states[torch.arange(5), last])


@pytest.mark.parametrize("branch", ["convolution", "gru"])
def test_a_local_branch_reads_the_order_of_the_last_events_and_nothing_later(branch):
    network = transformer(timed=False, causal=True, local_branch=branch)
    network.bias.steps.data.zero_()  # attention alone does not read the order then
    inputs, mask = torch.randn(2, 8, 16), torch.ones(2, 8, dtype=torch.bool)
    changed = inputs.clone()
    changed[:, [4, 5]] = inputs[:, [5, 4]]
    with torch.inference_mode():
        before, after = (network(vectors, mask, None) for vectors in (inputs, changed))
    torch.testing.assert_close(before[:, :4], after[:, :4])
    assert (before[:, 7] - after[:, 7]).abs().min() > 1e-5


@pytest.mark.parametrize("build", [HSTU, partial(Transformer, causal=True)])
def test_every_layer_learns_its_own_time_bias(build):
    torch.manual_seed(3)
    network = build(16, 2, 4, 9, 0.0, timed=True)
    states, mask = torch.randn(5, 8, 16), torch.ones(5, 8, dtype=torch.bool)
    seconds = 60 * torch.arange(8).expand(5, 8)
    network(states, mask, seconds).square().sum().backward()
    for parameter in (network.bias.steps, network.bias.times):
        first, second = parameter.grad[:4], parameter.grad[4:]
        assert first.abs().sum() > 0
        assert second.abs().sum() > 0
        assert (first - second).abs().max() > 1e-6
    with torch.no_grad():
        network.bias.steps[4:] = torch.randn(4, 17)
        first, second = network.bias(mask, seconds, masked_value=0.0)
    assert (first == 0).all()
    assert (second != 0).any()
