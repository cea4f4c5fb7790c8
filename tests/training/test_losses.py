"""Objectives against their definitions."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.training import softmax_loss
from plait.training.losses import (
    Negatives,
    bce_loss,
    bpr_loss,
    contrastive,
    full_softmax,
    masked_items,
    mse_loss,
    sampled_softmax,
)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(2, 30), st.floats(0, 0.5), st.integers(0, 99))
def test_full_softmax_and_its_gradients_are_those_of_cross_entropy(rows, items, smoothing, seed):
    states, table = drawn(rows, 5, seed=seed), drawn(items, 5, seed=seed + 1)
    targets = torch.arange(rows) % items
    one = [each.clone().requires_grad_() for each in (states, table)]
    other = [each.clone().requires_grad_() for each in (states, table)]
    found = full_softmax(*one, targets, smoothing=smoothing)
    right = torch.nn.functional.cross_entropy(
        other[0] @ other[1].T, targets, label_smoothing=smoothing
    )
    (3 * found).backward()
    (3 * right).backward()
    torch.testing.assert_close(found, right, rtol=1e-5, atol=1e-5)
    for mine, theirs in zip(one, other, strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-4, atol=1e-5)


def test_full_softmax_works_in_pieces():
    items = 1000
    rows = 2 * softmax_loss._CELLS // items + 7
    states, table = drawn(rows, 4), drawn(items, 4, seed=1)
    targets = torch.arange(rows) % items
    right = torch.nn.functional.cross_entropy(states @ table.T, targets)
    torch.testing.assert_close(full_softmax(states, table, targets), right)
    half = full_softmax(states, table, targets, half=True)
    torch.testing.assert_close(half, right, rtol=0.01, atol=0.01)


def test_full_softmax_survives_large_logits_and_no_rows():
    states = torch.tensor([[1000.0], [-1000.0]], requires_grad=True)
    loss = full_softmax(states, torch.tensor([[1.0], [-1.0]]), torch.tensor([0, 1]))
    loss.backward()
    assert float(loss.detach()) == 0
    assert torch.isfinite(states.grad).all()
    none = full_softmax(torch.zeros(0, 1), torch.ones(3, 1), torch.zeros(0, dtype=torch.long))
    assert float(none) == 0


@pytest.mark.parametrize("power", [0.0, 0.75, 1.0])
def test_the_sampled_sum_estimates_that_over_all_items(power):
    taken = torch.tensor([1.0, 2.0, 4.0, 8.0, 0.0])
    negatives = Negatives(taken, power)
    states, table = drawn(1, 3), drawn(5, 3, seed=1)
    torch.manual_seed(0)
    sums = []
    for _ in range(200):
        found, log_expected = negatives.draw(50)
        assert 4 not in found
        loss = sampled_softmax(
            states, table[:1], table[found], torch.tensor([0]), found, log_expected
        )
        sums.append(math.exp(float(loss) + float(states @ table[0])))
    exact = float(torch.exp(states @ table[:4].T).sum())
    assert sum(sums) / 200 == pytest.approx(exact, rel=0.05)


def test_bpr_is_small_where_the_right_one_leads():
    right = torch.tensor([5.0, 5.0])
    assert float(bpr_loss(right, -right)) < 1e-3
    assert float(bpr_loss(right, right)) == pytest.approx(math.log(2))
    assert float(bpr_loss(right, torch.stack([right, -right], 1))) == pytest.approx(
        math.log(2) / 2, rel=1e-3
    )


def test_binary_and_squared():
    logits, labels = torch.tensor([0.0, 2.0]), torch.tensor([1, 0])
    exact = (math.log(2) + math.log1p(math.exp(2))) / 2
    assert float(bce_loss(logits, labels)) == pytest.approx(exact)
    assert float(mse_loss(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 0.0]))) == 5


@given(st.floats(0, 1), st.integers(0, 99))
def test_masking_hides_at_least_one_item_of_each_row(share, seed):
    torch.manual_seed(seed)
    items = torch.tensor([[0, 0, 3], [1, 2, 3], [0, 0, 0]])
    shown, hidden = masked_items(items, share, mask=9, padding=0)
    assert hidden.any(1).tolist() == [True, True, False]
    assert not hidden[items == 0].any()
    assert (shown[hidden] == 9).all()
    assert torch.equal(shown[~hidden], items[~hidden])


def test_in_some_rows_only_the_last_item_is_hidden():
    torch.manual_seed(0)
    items = torch.tensor([[1, 2, 3, 0]]).repeat(200, 1)
    _, hidden = masked_items(items, 0.5, mask=9, padding=0, last=1.0)
    assert torch.equal(hidden, torch.tensor([[False, False, True, False]]).repeat(200, 1))
    _, hidden = masked_items(items, 0.0, mask=9, padding=0, last=0.5)
    assert 80 < int(hidden[:, 2].sum()) < 180


def test_contrast_is_small_where_pairs_are_alike():
    one = torch.eye(4)
    assert float(contrastive(one, one)) < 0.01
    assert float(contrastive(one, one.roll(1, 0))) > 5
    assert float(contrastive(one, torch.ones(4, 4))) == pytest.approx(math.log(4))
