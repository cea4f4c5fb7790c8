"""The training loop: it learns, stops early, averages and reports."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.pipeline.fit_context import FitContext
from plait.training.batches import ArrayBatches
from plait.training.config import TrainingConfig
from plait.training.optim import learning_rate
from tests.training.training_runs import (
    InterruptedObjective,
    Line,
    RecordingTracker,
    closeness,
    is_same,
    objective,
    points,
    run,
    target_count,
    weighted_objective,
    weighted_points,
    weights,
)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_every_optimizer_and_schedule_fits_a_line(optimizer, schedule):
    module, result = run(
        epochs=40, optimizer=optimizer, schedule=schedule, dropout=0.0, validate=closeness
    )
    assert result.metric > -0.01
    assert result.history[-1]["loss"] < result.history[0]["loss"] / 100
    assert not module.training


def test_the_seed_decides_the_result_and_the_random_state_is_restored():
    lines = [Line() for _ in range(3)]
    before = torch.get_rng_state()
    first, second, other = (
        weights(run(module=line, seed=seed)[0]) for line, seed in zip(lines, (3, 3, 4), strict=True)
    )
    assert is_same(first, second)
    assert not is_same(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_early_stopping_keeps_the_best_weights():
    validated = []

    def best_at_two(module):
        validated.append(weights(module))
        return -abs(len(validated) - 2)

    module, result = run(epochs=30, patience=3, validate=best_at_two)
    assert (result.epochs, result.best_epoch, result.metric) == (5, 2, 0)
    assert is_same(weights(module), validated[1])


def test_a_metric_of_zero_does_not_use_up_patience():
    metrics = iter([0, 0, 0, 0, 0.1, 0.3, 0.2, 0.0, 0.1, 0.4])
    _, result = run(epochs=30, patience=3, validate=lambda _module: next(metrics))
    assert (result.epochs, result.best_epoch, result.metric) == (9, 6, 0.3)
    _, zero = run(epochs=7, patience=3, validate=lambda _module: 0.0)
    assert (zero.epochs, zero.best_epoch) == (7, 7)


def test_max_epochs_ends_a_longer_schedule_early():
    early, result = run(epochs=8, max_epochs=4, schedule="cosine")
    complete, _ = run(epochs=4, schedule="cosine")
    assert result.epochs == 4
    assert not is_same(weights(early), weights(complete))


@pytest.mark.parametrize(
    "task",
    [
        {"arrays": points(48)},
        {"arrays": points(50)},  # the last batch has two rows
        {
            "arrays": weighted_points(),
            "loss": weighted_objective,
            "count_targets": target_count,
        },
    ],
)
def test_accumulated_batches_equal_one_large_batch(task):
    accumulated, _ = run(batch_size=8, gradient_accumulation_steps=7, dropout=0.0, **task)
    large, _ = run(batch_size=50, dropout=0.0, **task)
    for name, tensor in weights(accumulated).items():
        torch.testing.assert_close(tensor, weights(large)[name])


def test_the_last_batches_of_an_epoch_make_up_a_whole_step():
    # 7 batches by 6: the last one is a step of its own, and as long as any.
    changes = {"optimizer": "sgd", "momentum": 0.0, "learning_rate": 0.1, "dropout": 0.0}
    module, _ = run(epochs=1, batch_size=8, gradient_accumulation_steps=6, **changes)
    by_hand = Line(0.0)
    batches = list(ArrayBatches(points(), 8).epoch(0))
    for step in (batches[:6], batches[6:]):
        tensors = [{name: torch.from_numpy(a) for name, a in batch.items()} for batch in step]
        loss = sum(objective(by_hand, batch) for batch in tensors) / len(step)
        parameters = list(by_hand.parameters())
        with torch.no_grad():
            gradients = torch.autograd.grad(loss, parameters)
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.sub_(0.1 * gradient)
    for name, tensor in weights(module).items():
        torch.testing.assert_close(tensor, weights(by_hand)[name])


def test_weight_decay_shrinks_weights_and_clipping_bounds_a_step():
    free, _ = run(dropout=0.0, epochs=60)
    decayed, _ = run(dropout=0.0, epochs=60, weight_decay=1.0)
    assert decayed.layer.weight.norm() < free.layer.weight.norm()
    clipped, _ = run(epochs=1, batch_size=50, optimizer="sgd", max_grad_norm=0.1, learning_rate=1.0)
    step = torch.cat([tensor.flatten() for tensor in weights(clipped).values()])
    assert float(step.norm()) == pytest.approx(0.1, rel=1e-4)


def test_the_average_of_weights_follows_its_definition():
    averaged, _ = run(epochs=1, batch_size=25, dropout=0.0, ema_decay=0.9)
    first, _ = run(epochs=1, batch_size=25, dropout=0.0, max_epochs=1)
    steps = []
    run(
        epochs=1,
        batch_size=25,
        dropout=0.0,
        loss=lambda module, batch: (steps.append(weights(module)), objective(module, batch))[1],
    )
    initial, after_one_step = steps
    for name, tensor in weights(averaged).items():
        expected = initial[name]
        for update, current in enumerate((after_one_step[name], weights(first)[name]), 1):
            decay = min(0.9, (1 + update) / (10 + update))
            expected = decay * expected + (1 - decay) * current
        torch.testing.assert_close(tensor, expected)


def test_bfloat16_learns_and_weights_stay_float32():
    module, result = run(epochs=40, precision="bfloat16", dropout=0.0, validate=closeness)
    assert result.metric > -0.1
    assert {parameter.dtype for parameter in module.parameters()} == {torch.float32}
    with torch.no_grad():
        assert module({"x": torch.ones(1, 3)}).dtype == torch.float32


def test_trackers_receive_the_values_of_every_epoch_and_the_end():
    tracker = RecordingTracker()
    run(trackers=[tracker], validate=closeness, metric="m", epochs=2)
    (_, name, identity), first, second, end = tracker.calls
    assert (name, identity["training"]["epochs"], end) == ("run", 2, "end")
    for epoch, (number, values) in enumerate((first, second), 1):
        assert number == epoch
        assert sorted(values) == ["items_per_second", "learning_rate", "loss", "m"]
    interrupted = RecordingTracker()
    with pytest.raises(KeyboardInterrupt):
        run(trackers=[interrupted], loss=InterruptedObjective(2))
    assert interrupted.calls[-1] == "end"


@given(st.integers(1, 200), st.floats(0, 0.9), st.sampled_from(["constant", "cosine"]))
def test_the_learning_rate_rises_then_stays_or_falls(steps, warmup, schedule):
    config = TrainingConfig(warmup_ratio=warmup, schedule=schedule, learning_rate=1.0)
    rates = [learning_rate(config, step, steps) for step in range(steps)]
    top = round(warmup * steps)
    assert all(0 < rate <= 1 for rate in rates)
    assert rates[:top] == sorted(rates[:top])
    assert rates[top:] == sorted(rates[top:], reverse=True)


@settings(max_examples=30)
@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 5), st.integers(0, 9))
def test_array_batches_yield_each_row_once_and_can_start_at_any_batch(rows, size, number, start):
    batches = ArrayBatches({"row": np.arange(rows)}, size)
    epoch = [batch["row"].tolist() for batch in batches.epoch(number)]
    assert len(epoch) == len(batches)
    assert sorted(itertools.chain(*epoch)) == list(range(rows))
    assert [batch["row"].tolist() for batch in batches.epoch(number, start)] == epoch[start:]


@pytest.mark.parametrize(
    ("context", "best_epoch", "epochs"),
    [
        (FitContext(warm_start=True, warm_share=0.25), 0, 10),
        (FitContext(warm_start=True, warm_share=0.25), 6, 2),
        (FitContext(warm_start=True), 6, 6),
        (FitContext(warm_share=0.25), 6, 40),
    ],
)
def test_a_warm_start_has_a_share_of_the_epochs(context, best_epoch, epochs):
    assert TrainingConfig(epochs=40).for_fit(context, best_epoch).epochs == epochs
