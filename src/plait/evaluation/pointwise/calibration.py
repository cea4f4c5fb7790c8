"""From scores to chances: a rising logistic curve, and a rate for what has no score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from plait.data.types import BoolArray, Int32Array
from plait.metrics.ties import Doubles

__all__ = ["Calibration", "item_rates"]

PRIOR = 20.0
"""An item's rate is pulled to that of all as by so many times that it was shown."""

RIDGE = 1.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """`chance = 1 / (1 + exp(-(bias + slope (score - middle) / scale)))`; slope from 0 on.

    Platt, "Probabilistic outputs for support vector machines" (1999). `unknown` is the chance where
    there is no score.
    """

    middle: float
    scale: float
    bias: float
    slope: float
    unknown: float

    @staticmethod
    def of(scores: Doubles, clicked: BoolArray) -> Calibration:
        """Learned from N scores, NaN for none, and whether each was clicked."""
        there = np.isfinite(scores)
        base = (float(clicked.sum()) + 1) / (len(clicked) + 2)
        unknown = (float(clicked[~there].sum()) + PRIOR * base) / ((~there).sum() + PRIOR)
        values, hits = scores[there], clicked[there].astype(np.float64)
        if not len(values):
            return Calibration(0.0, 1.0, float(np.log(base / (1 - base))), 0.0, float(unknown))
        middle, scale = float(values.mean()), float(values.std()) or 1.0
        known = (values - middle) / scale

        def loss(at: Doubles) -> tuple[float, Doubles]:
            linear = at[0] + at[1] * known
            away = 1 / (1 + np.exp(-linear)) - hits
            total = np.logaddexp(0, linear).sum() - hits @ linear + RIDGE * at[1] ** 2 / 2
            slope = np.array([away.sum(), away @ known + RIDGE * at[1]])
            return float(total) / len(known), slope / len(known)

        start = np.array([np.log(base / (1 - base)), 0.0])
        bounds = [(None, None), (0.0, None)]
        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
        return Calibration(middle, scale, float(found[0]), float(found[1]), float(unknown))

    def chances(self, scores: Doubles) -> Doubles:
        """The chance of a click, float64 [N]."""
        there = np.isfinite(scores)
        linear = self.bias + self.slope * (np.where(there, scores, 0) - self.middle) / self.scale
        found: Doubles = np.where(there, 1 / (1 + np.exp(-linear)), self.unknown)
        return found


def item_rates(items: Int32Array, clicked: Doubles, size: int, base: float) -> Doubles:
    """The click rate of every item, float64 [size]; `base` where it was never shown."""
    shown = np.bincount(items, minlength=size)
    found: Doubles = (np.bincount(items, clicked, size) + PRIOR * base) / (shown + PRIOR)
    return found
