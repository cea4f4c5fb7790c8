"""A module that is too simple to be wrong, and the pieces of a run around it."""

import numpy as np
import torch
from torch import nn

from plait.training.config import ArrayBatches, TrainingConfig
from plait.training.losses import mse_loss
from plait.training.trainer import train

SETTINGS = {"epochs": 4, "batch_size": 8, "learning_rate": 0.05, "device": "cpu", "patience": 0}


class Line(nn.Module):
    """A line through points, with dropout, so that chance takes part."""

    def __init__(self, dropout=0.1):
        super().__init__()
        self.layer = nn.Linear(3, 1)
        self.dropout = nn.Dropout(dropout)
        with torch.no_grad():
            self.layer.weight.zero_()
            self.layer.bias.zero_()

    def forward(self, batch):
        return self.layer(self.dropout(batch["x"])).squeeze(1)


def objective(module, batch):
    return mse_loss(module(batch), batch["y"])


def points(count=50, seed=0):
    """y = 2 a - b + 3 exactly."""
    x = np.random.default_rng(seed).normal(size=(count, 3)).astype(np.float32)
    return {"x": x, "y": (2 * x[:, 0] - x[:, 1] + 3).astype(np.float32)}


def weighed(module, batch):
    """As `objective`, a mean over what the rows count."""
    errors = (module(batch) - batch["y"]) ** 2
    return (batch["count"] * errors).sum() / batch["count"].sum()


def counted(batch):
    """Over how many targets `weighed` is a mean."""
    return float(batch["count"].sum())


def uneven(count=49):
    """Points of which some count up to forty times as much as others."""
    often = 40 ** np.random.default_rng(2).random(count)
    return {**points(count), "count": often.astype(np.float32)}


def closeness(module):
    """Minus the error on other points."""
    found = points(seed=1)
    x, y = torch.from_numpy(found["x"]), torch.from_numpy(found["y"])
    return -float(((module({"x": x}) - y) ** 2).mean())


def run(folder=None, *, arrays=None, goal=objective, module=None, **changes):
    """Train a line; returns the module and the outcome."""
    keys = ("validate", "until", "report", "trackers", "identity", "seed", "metric", "targets")
    options = {key: changes.pop(key) for key in keys if key in changes}
    dropout = changes.pop("dropout", 0.1)
    module = Line(dropout) if module is None else module
    training = TrainingConfig(**{**SETTINGS, **changes})
    batches = ArrayBatches(arrays or points(), training.batch_size)
    return module, train(module, batches, goal, training, folder=folder, **options)


def weights(module):
    return {name: one.clone() for name, one in module.state_dict().items()}


def same(one, other):
    """Bit for bit."""
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
