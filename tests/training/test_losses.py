"""Losses against their definitions."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.models.sequential.network import masked_items
from plait.training import softmax_loss
from plait.training.losses import bce_loss, contrastive, full_softmax, sampled_softmax
from plait.training.negative_sampling import Negatives


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=40)
@given(st.integers(1, 9), st.integers(2, 30), st.floats(0, 0.5), st.integers(0, 99))
def test_full_softmax_and_its_gradients_equal_those_of_cross_entropy(rows, items, smoothing, seed):
    states, table = normal(rows, 5, seed=seed), normal(items, 5, seed=seed + 1)
    targets = torch.arange(rows) % items
    inputs = [tensor.clone().requires_grad_() for tensor in (states, table)]
    references = [tensor.clone().requires_grad_() for tensor in (states, table)]
    loss = full_softmax(*inputs, targets, smoothing=smoothing)
    expected = torch.nn.functional.cross_entropy(
        references[0] @ references[1].T, targets, label_smoothing=smoothing
    )
    (3 * loss).backward()
    (3 * expected).backward()
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-5)
    for tensor, reference in zip(inputs, references, strict=True):
        torch.testing.assert_close(tensor.grad, reference.grad, rtol=1e-4, atol=1e-5)


def test_full_softmax_over_several_blocks_of_rows_equals_cross_entropy(monkeypatch):
    monkeypatch.setattr(softmax_loss, "_CELLS", 4000)
    states, table = normal(15, 4), normal(1000, 4, seed=1)
    targets = torch.arange(15)
    expected = torch.nn.functional.cross_entropy(states @ table.T, targets)
    torch.testing.assert_close(full_softmax(states, table, targets), expected)
    half = full_softmax(states, table, targets, half=True)
    torch.testing.assert_close(half, expected, rtol=0.01, atol=0.01)


def test_full_softmax_of_large_logits_and_of_no_rows_is_finite():
    states = torch.tensor([[1000.0], [-1000.0]], requires_grad=True)
    loss = full_softmax(states, torch.tensor([[1.0], [-1.0]]), torch.tensor([0, 1]))
    loss.backward()
    assert float(loss.detach()) == 0
    assert torch.isfinite(states.grad).all()
    empty = full_softmax(torch.zeros(0, 1), torch.ones(3, 1), torch.zeros(0, dtype=torch.long))
    assert float(empty) == 0


@pytest.mark.parametrize("power", [0.0, 0.75, 1.0])
def test_sampled_softmax_estimates_the_sum_over_all_items(power):
    negatives = Negatives(torch.tensor([1.0, 2.0, 4.0, 8.0, 0.0]), power)
    states, table = normal(1, 3), normal(5, 3, seed=1)
    torch.manual_seed(0)
    sums = []
    for _ in range(200):
        items, log_expected = negatives.draw(50)
        assert 4 not in items
        loss = sampled_softmax(
            states, table[:1], table[items], torch.tensor([0]), items, log_expected
        )
        sums.append(math.exp(float(loss) + float(states @ table[0])))
    exact = float(torch.exp(states @ table[:4].T).sum())
    assert sum(sums) / 200 == pytest.approx(exact, rel=0.05)


def test_bce_loss_is_the_mean_binary_cross_entropy():
    logits, labels = torch.tensor([0.0, 2.0]), torch.tensor([1, 0])
    exact = (math.log(2) + math.log1p(math.exp(2))) / 2
    assert float(bce_loss(logits, labels)) == pytest.approx(exact)


@given(st.floats(0, 1), st.integers(0, 99))
def test_masked_items_masks_at_least_one_item_of_each_row(share, seed):
    torch.manual_seed(seed)
    items = torch.tensor([[0, 0, 3], [1, 2, 3], [0, 0, 0]])
    masked_rows, masked = masked_items(items, share, mask=9, padding=0)
    assert masked.any(1).tolist() == [True, True, False]
    assert not masked[items == 0].any()
    assert (masked_rows[masked] == 9).all()
    assert torch.equal(masked_rows[~masked], items[~masked])


def test_masked_items_masks_only_the_last_item_in_a_share_of_rows():
    torch.manual_seed(0)
    items = torch.tensor([[1, 2, 3, 0]]).repeat(200, 1)
    _, masked = masked_items(items, 0.5, mask=9, padding=0, last=1.0)
    assert torch.equal(masked, torch.tensor([[False, False, True, False]]).repeat(200, 1))
    _, masked = masked_items(items, 0.0, mask=9, padding=0, last=0.5)
    assert 80 < int(masked[:, 2].sum()) < 180


def test_contrastive_is_small_for_equal_pairs_and_large_for_swapped_ones():
    vectors = torch.eye(4)
    assert float(contrastive(vectors, vectors)) < 0.01
    assert float(contrastive(vectors, vectors.roll(1, 0))) > 5
    assert float(contrastive(vectors, torch.ones(4, 4))) == pytest.approx(math.log(4))
