"""Interrupted training: it resumes exactly, or says why it cannot."""

import os
import signal
from dataclasses import replace

import pytest
import torch

from plait.errors import ConflictError, StorageError
from plait.training.checkpoints import FILE
from tests.training.training_runs import (
    InterruptedObjective,
    Line,
    RecordingTracker,
    closeness,
    is_same,
    run,
    weights,
)


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
