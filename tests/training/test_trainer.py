"""The training loop: it learns, resumes exactly, and names what is wrong."""

import itertools
import os
import re
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.errors import ConflictError, InputError, PlaitError, StorageError
from plait.training.batches import ArrayBatches
from plait.training.checkpoints import FILE
from plait.training.config import TrainingConfig
from plait.training.optim import learning_rate
from tests.training.training_runs import (
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


class InterruptedObjective:
    """An objective that counts batches and acts in batch number `at`; here it sends Ctrl-C."""

    def __init__(self, at=None):
        self.at, self.batches = at, 0

    def __call__(self, module, batch):
        self.batches += 1
        loss = objective(module, batch)
        return self.act(module, batch, loss) if self.batches == self.at else loss

    def act(self, module, batch, loss):
        os.kill(os.getpid(), signal.SIGINT)
        return loss


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_every_optimizer_and_schedule_fits_a_line(optimizer, schedule):
    module, result = run(
        epochs=40, optimizer=optimizer, schedule=schedule, dropout=0.0, validate=closeness
    )
    assert result.metric > -0.01
    assert result.history[-1]["loss"] < result.history[0]["loss"] / 100
    assert not module.training


@pytest.mark.parametrize("at", [1, 5, 7, 14, 28])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimizer": "sgd", "schedule": "cosine", "warmup_ratio": 0.2, "max_grad_norm": 0.5},
        {"ema_decay": 0.9, "gradient_accumulation_steps": 5},
        {"ema_decay": 0.9, "schedule": "cosine", "precision": "bfloat16"},
    ],
)
def test_an_interrupted_run_resumes_bit_for_bit(tmp_path, at, changes):
    uninterrupted, expected = run(validate=closeness, **changes)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, loss=InterruptedObjective(at), validate=closeness, **changes)
    module, result = run(tmp_path, validate=closeness, **changes)
    assert is_same(weights(module), weights(uninterrupted))
    assert result == replace(expected, resumed=True)
    assert not expected.resumed


def test_a_run_that_dies_resumes_from_its_last_checkpoint(tmp_path):
    uninterrupted, _ = run(checkpoint_seconds=0.0)

    class Dies(InterruptedObjective):
        def act(self, module, batch, loss):
            raise SystemExit  # nothing is saved on the way out, as under kill -9

    with pytest.raises(SystemExit):
        run(tmp_path, loss=Dies(12), checkpoint_seconds=0.0)
    counting = InterruptedObjective()
    module, result = run(tmp_path, loss=counting, checkpoint_seconds=0.0)
    assert is_same(weights(module), weights(uninterrupted))
    assert result.resumed
    assert counting.batches == 4 * 7 - 11


def test_a_second_interrupt_stops_at_once():
    def interrupted_twice(module, batch):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("not reached")

    with pytest.raises(KeyboardInterrupt):
        run(loss=interrupted_twice)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


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


def test_a_run_over_its_seconds_ends_with_a_validated_epoch_and_a_larger_limit_continues_it(
    tmp_path,
):
    limited = {"epochs": 6, "validate_every": 5, "folder": tmp_path, "validate": closeness}
    _, first = run(max_seconds=1e-6, **limited)
    assert (first.epochs, first.best_epoch) == (1, 1)
    assert first.metric is not None
    continued, second = run(max_seconds=3600, **limited)
    assert (second.epochs, second.resumed) == (6, True)
    whole, _ = run(**limited | {"folder": None})
    assert is_same(weights(continued), weights(whole))


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


def test_float16_on_a_cpu_is_rejected():
    with pytest.raises(InputError) as error:
        run(precision="float16")
    assert error.value.field == "precision"
    assert "bfloat16" in error.value.hint


def test_nan_in_a_batch_names_the_field():
    arrays = points()
    arrays["x"][7, 1] = np.nan
    with pytest.raises(InputError) as error:
        run(arrays=arrays)
    assert error.value.field == "x"


class NanLoss(InterruptedObjective):
    def act(self, module, batch, loss):
        return loss * float("nan")


class NanGradient(InterruptedObjective):
    def act(self, module, batch, loss):
        loss = loss + (0 * module(batch)).abs().sqrt().sum()  # 0, with a gradient of 0 / 0
        assert torch.isfinite(loss)
        return loss


@pytest.mark.parametrize("failing", [NanLoss, NanGradient])
@pytest.mark.parametrize("clip", [0.0, 0.5])
def test_nan_in_loss_or_gradient_names_epoch_and_batch_and_keeps_the_checkpoint(
    tmp_path, failing, clip
):
    changes = {"checkpoint_seconds": 0.0, "dropout": 0.0, "max_grad_norm": clip}
    with pytest.raises(PlaitError) as error:
        run(tmp_path, loss=failing(10), **changes)
    assert error.value.field == "learning_rate"
    assert re.findall(r"\d+", str(error.value))[:2] == ["2", "3"]
    module, result = run(tmp_path, **changes)
    assert result.resumed
    assert is_same(weights(module), weights(run(**changes)[0]))


@pytest.mark.parametrize("has_folder", [True, False])
def test_weights_that_overflow_are_neither_saved_nor_returned(tmp_path, has_folder):
    changes = {"optimizer": "sgd", "batch_size": 50, "epochs": 1, "dropout": 0.0}
    with pytest.raises(PlaitError) as error:
        run(tmp_path if has_folder else None, learning_rate=3e38, **changes)
    assert error.value.field == "learning_rate"
    assert "layer.weight" in str(error.value)
    assert not (tmp_path / FILE).exists()


def test_an_interrupt_after_the_last_epoch_is_raised_after_the_checkpoint(tmp_path):
    class InterruptsAtTheEnd(RecordingTracker):
        def end(self):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, trackers=[InterruptsAtTheEnd()])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    counting = InterruptedObjective()
    module, _ = run(tmp_path, loss=counting)
    assert counting.batches == 0
    assert is_same(weights(module), weights(run()[0]))


def test_a_batch_beyond_memory_names_the_setting():
    def out_of_memory(module, batch):
        raise MemoryError("10 TiB")

    with pytest.raises(PlaitError) as error:
        run(loss=out_of_memory)
    assert error.value.field == "batch_size"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"identity": {"vocabulary": "b"}}, "vocabulary"),
        ({"learning_rate": 0.1}, "training.learning_rate"),
        ({"warmup_ratio": 0.5}, "training.warmup_ratio"),
        ({"seed": 9}, "seed"),
        ({"module": torch.nn.Sequential(Line())}, "shapes.0.layer.bias"),
    ],
)
def test_a_checkpoint_of_another_run_is_rejected(tmp_path, changes, field):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, loss=InterruptedObjective(3), identity={"vocabulary": "a"})
    with pytest.raises(ConflictError) as error:
        run(tmp_path, **{"identity": {"vocabulary": "a"}, **changes})
    assert error.value.field == field


def test_a_torn_checkpoint_is_rejected(tmp_path):
    (tmp_path / FILE).write_bytes(b"\x10\0\0\0\0\0\0\0{")
    with pytest.raises(StorageError) as error:
        run(tmp_path)
    assert str(tmp_path / FILE) in str(error.value)


def test_a_checkpoint_that_cannot_be_written_leaves_the_previous_one(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, loss=InterruptedObjective(3))
    before = (tmp_path / FILE).read_bytes()
    (tmp_path / f".draft-{FILE}").mkdir()  # a folder cannot be written to
    with pytest.raises(StorageError):
        run(tmp_path, checkpoint_seconds=0.0)
    assert (tmp_path / FILE).read_bytes() == before


@pytest.mark.parametrize(
    "changes",
    [
        {"epochs": 0},
        {"epochs": 1.5},
        {"batch_size": True},
        {"learning_rate": float("nan")},
        {"max_grad_norm": -1.0},
        {"ema_decay": 1.0},
        {"optimizer": "foo"},
        {"schedule": "linear"},
        {"precision": "float8"},
        {"device": "gpu"},
    ],
)
def test_a_setting_out_of_bounds_is_named(changes):
    with pytest.raises(InputError) as error:
        TrainingConfig(**changes).check()
    assert error.value.field == next(iter(changes))
    with pytest.raises(InputError) as error:
        run(**changes)
    assert error.value.field == next(iter(changes))


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


def test_arrays_of_different_length_are_rejected():
    with pytest.raises(InputError):
        ArrayBatches({"x": np.zeros(3), "y": np.zeros(4)}, 2)
