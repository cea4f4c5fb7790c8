"""Stages with known answers, and one that remembers everything it was shown."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from plait.core.dense import DenseStage
from plait.core.recipe import Recipe
from plait.core.stage import Stage

__all__ = ["Blend", "Counts", "Follows", "Nothing", "Spy", "Witness", "recipe", "witness"]


class Counts(DenseStage):
    """Popularity as it is, ties and all."""

    def fit(self, dataset, *, seed=0):
        fitted = type(self)(self.config, name=self.name)
        fitted.counts = np.bincount(dataset.interactions.items, minlength=dataset.n_items)
        return fitted

    def dense(self, queries):
        found = np.where(self.counts > 0, self.counts, np.nan).astype(np.float32)
        return np.broadcast_to(found, (len(queries), len(found))).copy()


class Follows(DenseStage):
    """What came right after the last item of the history."""

    def fit(self, dataset, *, seed=0):
        fitted = type(self)(self.config, name=self.name)
        found = dataset.interactions
        same = found.users[1:] == found.users[:-1]
        fitted.pairs = np.zeros((dataset.n_items, dataset.n_items), np.float32)
        np.add.at(fitted.pairs, (found.items[:-1][same], found.items[1:][same]), 1)
        return fitted

    def dense(self, queries):
        found = np.full((len(queries), len(self.pairs)), np.nan, np.float32)
        there = queries.history.lengths > 0
        last = queries.history.items[queries.history.offsets[1:][there] - 1]
        found[there] = np.where(self.pairs[last] > 0, self.pairs[last], np.nan)
        return found


class Nothing(DenseStage):
    """Knows no item."""

    def dense(self, queries):
        return np.full((len(queries), queries.live.state.dataset.n_items), np.nan, np.float32)


@dataclass
class Witness:
    """What the spies saw."""

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

    def delta(self, catalogue, version, previous):
        witness.deltas.append(np.flatnonzero(catalogue.changed > version))
        return previous

    def dense(self, queries):
        witness.asked.append(queries)
        return super().dense(queries)


class Blend(Stage):
    """The mean of reciprocal ranks by score; one learned scalar, a record of its lessons."""

    reads = ("*.score",)
    writes = ("score",)
    learned = 1.0

    def learn(self, queries, items, targets):
        taught = type(self)(self.config, name=self.name)
        witness.taught.append((queries, items, targets))
        taught.learned = 2.0
        return taught

    def apply(self, queries, items):
        total = np.zeros(items.shape, np.float32)
        for name, scores in items.columns.items():
            if name.endswith(".score"):
                clean = np.where(np.isnan(scores), -np.inf, scores)
                above = (clean[:, None, :] > clean[:, :, None]).sum(axis=2)
                total += np.where(np.isnan(scores), 0, 1 / (above + 1)) * self.learned
        return items.with_columns(score=np.where(items.numbers >= 0, total, np.nan))


def recipe(*strands, name="toy", steps=("Blend",), **more):
    """A recipe of toys: `recipe("Counts", "Follows")` has strands `counts` and `follows`."""
    here = "tests.evaluate.toys"
    return Recipe.of(
        {
            "name": name,
            "strands": {one.lower(): {"stage": f"{here}:{one}"} for one in strands},
            "steps": {one.lower(): {"stage": f"{here}:{one}"} for one in steps},
            **more,
        }
    )
