"""Users who walk around a circle of items, and models of which is known what they know."""

from dataclasses import dataclass

import numpy as np

import plait
from plait.experiments.models.estimator import Estimator
from plait.pipeline.full_catalogue_scorer import DenseScorer
from plait.pipeline.search_space import Range, tunable

N_ITEMS = 30


def circle(users=240, events=6, seed=1):
    """Every user walks on around a circle of items from somewhere."""
    starts = np.random.default_rng(seed).integers(0, N_ITEMS, users)
    rows = [
        {"user": f"u{user}", "item": f"i{(start + step) % N_ITEMS}", "time": 100 * user + step}
        for user, start in enumerate(starts)
        for step in range(events)
    ]
    return plait.Dataset.of(rows)


class NoiseStage(DenseScorer):
    """Scores items by chance; counts how often it is fitted."""

    fits = 0

    def fit(self, dataset, *, seed=0):
        type(self).fits += 1
        fitted = self.clone()
        fitted.n_items = dataset.n_items
        return fitted

    def score_all(self, queries):
        keys = queries.users.astype(np.int64)[:, None] * 7919 + np.arange(self.n_items) * 104_729
        return np.random.default_rng(0).random(10_007)[keys % 10_007].astype(np.float32)


class Noise(Estimator):
    """A model that knows nothing."""

    stage_name = "tests.experiments.toy_models:NoiseStage"


@dataclass(frozen=True)
class NextConfig:
    """Settings of `NextStage`."""

    step: int = tunable(1, Range(1, 5))
    """How far behind the last item of the history the next one comes."""


class NextStage(DenseScorer):
    """Scores an item by how close it comes behind the last one of the history; counts fits."""

    Config = NextConfig
    fits = 0

    def fit(self, dataset, *, seed=0):
        type(self).fits += 1
        fitted = self.clone()
        numbers = [int(item.removeprefix("i")) for item in dataset.catalogue.ids]
        fitted.places = np.array(numbers)
        return fitted

    def score_all(self, queries):
        scores = np.full((len(queries), len(self.places)), np.nan, np.float32)
        for row in range(len(queries)):
            history = queries.history.items[
                queries.history.offsets[row] : queries.history.offsets[row + 1]
            ]
            if len(history):
                next_place = self.places[history[-1]] + self.config.step
                scores[row] = -((self.places - next_place) % len(self.places))
        return scores


class Next(Estimator):
    """A model that knows what comes next.

    Args:
        step: How far behind the last item of the history the next one comes.
    """

    stage_name = "tests.experiments.toy_models:NextStage"

    def __init__(self, *, step=1):
        self._store(locals())
