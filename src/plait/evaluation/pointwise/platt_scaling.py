"""Calibrates scores to probabilities of a click."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from plait.data.array_types import BoolArray, Float64Array

__all__ = ["Calibration"]

PRIOR = 20.0
"""Strength of the overall click rate in an item's rate, as a number of impressions."""

RIDGE = 1.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic curve `1 / (1 + exp(-(bias + slope (score - middle) / scale)))` with slope >= 0
    (Platt, "Probabilistic outputs for support vector machines", 1999).

    Attributes:
        middle: Mean of the scores.
        scale: Standard deviation of the scores.
        bias: Log odds at the mean score.
        slope: Increase of the log odds by standard deviation.
        unknown: Probability where there is no score.
    """

    middle: float
    scale: float
    bias: float
    slope: float
    unknown: float

    @staticmethod
    def fit(scores: Float64Array, clicked: BoolArray) -> Calibration:
        """Fit a curve to outcomes.

        Args:
            scores: float64 [N], NaN for no score.
            clicked: bool [N], the outcomes.

        Returns:
            The fitted curve; it is flat if higher scores are clicked less.
        """
        known = np.isfinite(scores)
        base = (float(clicked.sum()) + 1) / (len(clicked) + 2)
        log_odds = np.log(base / (1 - base))
        unknown = (float(clicked[~known].sum()) + PRIOR * base) / ((~known).sum() + PRIOR)
        values, hits = scores[known], clicked[known].astype(np.float64)
        if not len(values):
            return Calibration(0.0, 1.0, float(log_odds), 0.0, float(unknown))
        middle, scale = float(values.mean()), float(values.std()) or 1.0
        standard = (values - middle) / scale

        def loss(weights: Float64Array) -> tuple[float, Float64Array]:
            linear = weights[0] + weights[1] * standard
            errors = 1 / (1 + np.exp(-linear)) - hits
            total = np.logaddexp(0, linear).sum() - hits @ linear + RIDGE * weights[1] ** 2 / 2
            gradient = np.array([errors.sum(), errors @ standard + RIDGE * weights[1]])
            return float(total) / len(standard), gradient / len(standard)

        start = np.array([log_odds, 0.0])
        bounds = [(None, None), (0.0, None)]
        bias, slope = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
        return Calibration(middle, scale, float(bias), float(slope), float(unknown))

    def probabilities(self, scores: Float64Array) -> Float64Array:
        """Convert scores to probabilities of a click.

        Args:
            scores: float64 [N], NaN for no score.

        Returns:
            float64 [N].
        """
        known = np.isfinite(scores)
        linear = self.bias + self.slope * (np.where(known, scores, 0) - self.middle) / self.scale
        result: Float64Array = np.where(known, 1 / (1 + np.exp(-linear)), self.unknown)
        return result
