"""What training cannot use is named: settings, NaN, weights that overflow."""

import re

import numpy as np
import pytest
import torch

from plait.errors import InputError, PlaitError
from plait.training.batches import ArrayBatches
from plait.training.checkpoints import FILE
from plait.training.config import TrainingConfig
from tests.training.training_runs import (
    InterruptedObjective,
    is_same,
    points,
    run,
    weights,
)


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


def test_a_batch_beyond_memory_names_the_setting():
    def out_of_memory(module, batch):
        raise MemoryError("10 TiB")

    with pytest.raises(PlaitError) as error:
        run(loss=out_of_memory)
    assert error.value.field == "batch_size"


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


def test_arrays_of_different_length_are_rejected():
    with pytest.raises(InputError):
        ArrayBatches({"x": np.zeros(3), "y": np.zeros(4)}, 2)
