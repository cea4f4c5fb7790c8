"""Stages with known scores, and one that records everything it was called with."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from plait.pipeline.full_catalogue_scorer import DenseScorer
from plait.pipeline.recipe import Recipe
from plait.pipeline.search_space import Choice, Range, tunable
from plait.pipeline.stage import Stage

__all__ = [
    "Blend",
    "Counts",
    "Dice",
    "Follows",
    "Halting",
    "Knob",
    "Mean",
    "Nothing",
    "Oracle",
    "Spy",
    "Swing",
    "Taste",
    "Tracked",
    "Witness",
    "recipe",
    "witness",
]


class Counts(DenseScorer):
    """Scores items by their number of events, with ties."""

    def fit(self, dataset, *, seed=0):
        fitted = type(self)(self.config, name=self.name)
        fitted.counts = np.bincount(dataset.interactions.items, minlength=dataset.n_items)
        return fitted

    def score_all(self, queries):
        scores = np.where(self.counts > 0, self.counts, np.nan).astype(np.float32)
        return np.broadcast_to(scores, (len(queries), len(scores))).copy()


class Follows(DenseScorer):
    """Scores items by how often they followed the last item of the history."""

    def fit(self, dataset, *, seed=0):
        fitted = type(self)(self.config, name=self.name)
        events = dataset.interactions
        same = events.users[1:] == events.users[:-1]
        fitted.pairs = np.zeros((dataset.n_items, dataset.n_items), np.float32)
        np.add.at(fitted.pairs, (events.items[:-1][same], events.items[1:][same]), 1)
        return fitted

    def score_all(self, queries):
        scores = np.full((len(queries), len(self.pairs)), np.nan, np.float32)
        has_history = queries.history.lengths > 0
        last = queries.history.items[queries.history.offsets[1:][has_history] - 1]
        scores[has_history] = np.where(self.pairs[last] > 0, self.pairs[last], np.nan)
        return scores


class Swing(Follows):
    """A Follows that trains, and learns something with even seeds only."""

    def train(self, dataset, context):
        fitted = self.fit(dataset)
        fitted.pairs *= context.seed % 2 == 0
        return fitted


class Tracked(Follows):
    """A Follows that trains for two epochs, and tells trackers."""

    def train(self, dataset, context):
        for tracker in context.trackers:
            tracker.begin(context.name, {"seed": context.seed})
            for epoch in (1, 2):
                tracker.report(epoch, {"loss": 1 / epoch})
                if "stop" in [callback(epoch, {}) for callback in context.callbacks]:
                    break
            tracker.end()
        return self.fit(dataset)


class Nothing(DenseScorer):
    """Scores no item."""

    def score_all(self, queries):
        return np.full((len(queries), queries.live.state.dataset.n_items), np.nan, np.float32)


class Dice(DenseScorer):
    """Random scores by the seed of the fit."""

    def fit(self, dataset, *, seed=0):
        fitted = type(self)(self.config, name=self.name)
        fitted.scores = np.random.default_rng(seed).random(dataset.n_items).astype(np.float32)
        return fitted

    def score_all(self, queries):
        return np.broadcast_to(self.scores, (len(queries), len(self.scores))).copy()


@dataclass(frozen=True)
class KnobConfig:
    turn: float = tunable(0.2, Range(0.0, 1.0))
    steps: int = tunable(3, Range(1, 9))
    mode: str = tunable("plain", Choice(("plain", "other")))
    fixed: int = 7


class Knob(Follows):
    """A Follows mixed with noise: the higher `turn`, the less noise."""

    Config = KnobConfig

    def score_all(self, queries):
        right = np.nan_to_num(super().score_all(queries)) > 0
        noise = np.random.default_rng(0).random(right.shape)
        return (right * self.config.turn + noise * (1 - self.config.turn)).astype(np.float32)


class Halting(Knob):
    """A knob whose next fit is interrupted where `next_one` says so."""

    next_one = False

    def fit(self, dataset, *, seed=0):
        if Halting.next_one:
            Halting.next_one = False
            raise KeyboardInterrupt
        return super().fit(dataset, seed=seed)


class Mean(Counts):
    """Predicts the mean rating of each item."""

    def fit(self, dataset, *, seed=0):
        fitted = super().fit(dataset, seed=seed)
        witness.fits.append(dataset)
        total = np.bincount(
            dataset.interactions.items, dataset.interactions.values, dataset.n_items
        )
        with np.errstate(invalid="ignore"):
            fitted.means = total / fitted.counts
        return fitted

    def predict(self, queries, numbers):
        witness.asked.append(queries)
        known = np.append(self.means, np.nan)
        return known[numbers].astype(np.float32)


class Taste(Counts):
    """Predicts 1 for everything."""

    def predict(self, queries, numbers):
        return np.ones(numbers.shape, np.float32)


class Oracle(Counts):
    """Scores an item by its number."""

    def score_all(self, queries):
        width = len(self.counts)
        return np.broadcast_to(np.arange(width, dtype=np.float32), (len(queries), width)).copy()


@dataclass
class Witness:
    """Records of the spies: data sets of fits, queries, calls of `learn_weights`, changed items."""

    fits: list = field(default_factory=list)
    asked: list = field(default_factory=list)
    taught: list = field(default_factory=list)
    deltas: list = field(default_factory=list)


witness = Witness()


class Spy(Counts):
    """Popularity that keeps a record."""

    def fit(self, dataset, *, seed=0):
        witness.fits.append(dataset)
        return super().fit(dataset, seed=seed)

    def update(self, catalogue, version, previous):
        witness.deltas.append(np.flatnonzero(catalogue.changed > version))
        return previous

    def score_all(self, queries):
        witness.asked.append(queries)
        return super().score_all(queries)


class Blend(Stage):
    """The sum of reciprocal ranks with one learned scalar; records what it learns from."""

    reads = ("*.score",)
    writes = ("score",)
    learned = 1.0

    def learns_weights(self, models):
        return True

    def learn_weights(self, queries, items, targets):
        fitted = type(self)(self.config, name=self.name)
        witness.taught.append((queries, items, targets))
        fitted.learned = 2.0
        return fitted

    def apply(self, queries, items):
        total = np.zeros(items.shape, np.float32)
        for name, scores in items.columns.items():
            if name.endswith(".score"):
                clean = np.where(np.isnan(scores), -np.inf, scores)
                above = (clean[:, None, :] > clean[:, :, None]).sum(axis=2)
                total += np.where(np.isnan(scores), 0, 1 / (above + 1)) * self.learned
        return items.with_columns(score=np.where(items.item_numbers >= 0, total, np.nan))


def recipe(*models, name="toy", steps=("Blend",), **more):
    """A recipe of fake stages: `recipe("Counts", "Follows")` has models `counts` and `follows`."""
    here = "tests.evaluation.fake_stages"
    return Recipe.of(
        {
            "name": name,
            "models": {model.lower(): {"stage": f"{here}:{model}"} for model in models},
            "steps": {step.lower(): {"stage": f"{here}:{step}"} for step in steps},
            **more,
        }
    )
