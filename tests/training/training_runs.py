"""A module simple enough to verify by hand, and helpers to train it."""

import os
import signal
from dataclasses import fields

import numpy as np
import torch
from torch import nn

from plait.training.batches import ArrayBatches, row_count
from plait.training.config import TrainingConfig
from plait.training.trainer import RunOptions, TrainingTask, train

SETTINGS = {"epochs": 4, "batch_size": 8, "learning_rate": 0.05, "device": "cpu", "patience": 0}


class Line(nn.Module):
    """A line through points, with dropout, so that the random state matters."""

    def __init__(self, dropout=0.1):
        super().__init__()
        self.layer = nn.Linear(3, 1)
        self.dropout = nn.Dropout(dropout)
        with torch.no_grad():
            self.layer.weight.zero_()
            self.layer.bias.zero_()

    def forward(self, batch):
        return self.layer(self.dropout(batch["x"])).squeeze(1)


class RecordingTracker:
    """Records the calls of a run as `begin`, an epoch with its values, and `end`."""

    def __init__(self):
        self.calls = []

    def begin(self, run, settings):
        self.calls.append(("begin", run, settings))

    def report(self, epoch, values):
        self.calls.append((epoch, dict(values)))

    def end(self):
        self.calls.append("end")


def objective(module, batch):
    return nn.functional.mse_loss(module(batch), batch["y"])


def points(count=50, seed=0):
    """y = 2 a - b + 3 exactly."""
    x = np.random.default_rng(seed).normal(size=(count, 3)).astype(np.float32)
    return {"x": x, "y": (2 * x[:, 0] - x[:, 1] + 3).astype(np.float32)}


def weighted_objective(module, batch):
    """As `objective`, a mean weighted by the targets of each row."""
    errors = (module(batch) - batch["y"]) ** 2
    return (batch["count"] * errors).sum() / batch["count"].sum()


def target_count(batch):
    """Over how many targets `weighted_objective` is a mean."""
    return float(batch["count"].sum())


def weighted_points(count=49):
    """Points of which some have up to forty times as many targets as others."""
    targets = 40 ** np.random.default_rng(2).random(count)
    return {**points(count), "count": targets.astype(np.float32)}


def closeness(module):
    """Minus the error on other points."""
    arrays = points(seed=1)
    x, y = torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["y"])
    return -float(((module({"x": x}) - y) ** 2).mean())


def run(
    folder=None,
    *,
    arrays=None,
    loss=objective,
    module=None,
    validate=None,
    metric="metric",
    count_targets=row_count,
    dropout=0.1,
    **changes,
):
    """Train a line; `changes` are run options and settings. Returns the module and the result."""
    names = [field.name for field in fields(RunOptions)]
    options = {name: changes.pop(name) for name in names if name in changes}
    module = Line(dropout) if module is None else module
    config = TrainingConfig(**{**SETTINGS, **changes})
    batches = ArrayBatches(arrays or points(), config.batch_size)
    task = TrainingTask(batches, loss, count_targets, validate, metric)
    return module, train(module, task, config, RunOptions(folder=folder, **options))


def weights(module):
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def is_same(left, right):
    """Whether two sets of weights are equal bit for bit."""
    return left.keys() == right.keys() and all(
        torch.equal(left[name], right[name]) for name in left
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
