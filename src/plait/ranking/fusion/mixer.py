"""Small neural networks on top of the weighted sum, trained by the listwise softmax.

Several networks from different random starts are averaged: a few thousand queries leave a single
one to chance. As their outputs are added, they are kept as one network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from plait.data.array_types import BoolArray, Float32Array, Float64Array
from plait.ranking.fusion.learned_ranker import CrossValidation, FitRanker, RankingExamples

__all__ = ["MixerRanker", "fit_mixer"]

_NETWORKS = 3
"""How many networks are averaged."""

_ITERATIONS = 60
_DECAY = 10.0
"""The pull of the weights to zero, in queries."""

_LARGEST = 4.0
"""Standard deviations at which an input is cut off."""


@dataclass(frozen=True, slots=True, eq=False)
class MixerRanker:
    """One hidden layer over standardised inputs; a missing input counts as the mean.

    Networks that are averaged stand side by side in the hidden layer.

    Attributes:
        models: The models that take part, in the order of the features.
        means: The mean of each feature, float32 [F].
        scales: One divided by its standard deviation, float32 [F].
        hidden: The weights of the hidden layer, float32 [2 F, H]: of the features, and of whether
            each is missing.
        bias: float32 [H].
        output: The weights of the output, float32 [H].
        strength: What the output is multiplied by.
        validation: What held-out queries said.
    """

    models: tuple[str, ...]
    means: Float32Array
    scales: Float32Array
    hidden: Float32Array
    bias: Float32Array
    output: Float32Array
    strength: float
    validation: CrossValidation | None = None

    def describe(self) -> dict[str, Any]:
        """Size and gain on held-out queries, for reports."""
        return {
            "hidden_units": len(self.output),
            "strength": round(self.strength, 4),
            **(self.validation.to_dict() if self.validation else {}),
        }

    def adjustments(self, features: Float32Array, part: float = 1.0) -> Float64Array:
        """Compute what the network adds.

        Args:
            features: float32 [N, F].
            part: The part of its output that counts, from 0 to 1.

        Returns:
            float64 [N].
        """
        inputs = _inputs(features, self.means, self.scales)
        layer = np.tanh(inputs @ self.hidden + self.bias)
        added: Float64Array = (layer @ self.output).astype(np.float64) * (part * self.strength)
        return added


def fit_mixer(models: Sequence[str], hidden_units: int) -> FitRanker:
    """Return a function that fits a mixer.

    Args:
        models: The models that take part.
        hidden_units: The size of the hidden layer.

    Returns:
        The function.
    """

    def fit(examples: RankingExamples, part: float, seed: int) -> MixerRanker:
        present = examples.present
        features = examples.features[present]
        means = np.nan_to_num(_mean(features, np.isfinite(features)))
        spread = np.sqrt(np.nan_to_num(_mean(np.square(features - means), np.isfinite(features))))
        scales = np.where(spread > 1e-6, 1 / np.maximum(spread, 1e-6), 0).astype(np.float32)
        inputs = _inputs(features, means, scales)
        varying = np.flatnonzero(np.ptp(inputs, axis=0) > 0)
        training = _Training(inputs[:, varying], examples, present, hidden_units)
        networks = [training.parts(training.run((seed, start))) for start in range(_NETWORKS)]
        hidden = np.zeros((inputs.shape[1], _NETWORKS * hidden_units), np.float32)
        hidden[varying] = np.concatenate([layer for layer, _, _ in networks], axis=1)
        bias = np.concatenate([bias for _, bias, _ in networks])
        output = np.concatenate([output / np.float32(_NETWORKS) for _, _, output in networks])
        return MixerRanker(tuple(models), means, scales, hidden, bias, output, part)

    return fit


class _Training:
    """The loss of a mixer and its gradient, over all weights as one vector."""

    def __init__(
        self, inputs: Float32Array, examples: RankingExamples, present: BoolArray, units: int
    ) -> None:
        self.inputs, self.present, self.units = inputs, present, units
        self.sums = np.where(present, examples.sums, -np.inf)
        targets = examples.targets & present
        self.share = targets / np.maximum(targets.sum(axis=1, keepdims=True), 1)

    def run(self, seed: tuple[int, int]) -> Float32Array:
        """The weights that fit best, float32."""
        from scipy.optimize import minimize  # servers do not need it

        width = self.inputs.shape[1]
        random = np.random.default_rng(seed)
        start = np.concatenate(
            [
                random.normal(0, 1 / np.sqrt(width), width * self.units),
                np.zeros(self.units),
                random.normal(0, 1e-3, self.units),
            ]
        )
        best = minimize(
            self.loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _ITERATIONS}
        )
        return np.asarray(best.x, np.float32)

    def parts(self, weights: Float32Array) -> tuple[Float32Array, Float32Array, Float32Array]:
        """The weights of the hidden layer, its bias and the weights of the output."""
        size = self.inputs.shape[1] * self.units
        hidden = weights[:size].reshape(self.inputs.shape[1], self.units)
        return hidden, weights[size : size + self.units], weights[size + self.units :]

    def loss(self, weights: Float64Array) -> tuple[float, Float64Array]:
        """The mean loss of a query, with its gradient."""
        n_queries = len(self.sums)
        hidden, bias, output = self.parts(weights.astype(np.float32))
        layer = np.tanh(self.inputs @ hidden + bias)
        scores = self.sums.astype(np.float64)
        scores[self.present] += layer @ output
        top = scores.max(axis=1, keepdims=True)
        likely = np.exp(scores - top)
        total = likely.sum(axis=1, keepdims=True)
        safe = np.where(self.present, scores, 0)
        loss = float((top + np.log(total)).mean() - (self.share * safe).sum() / n_queries)
        error = ((likely / total - self.share)[self.present] / n_queries).astype(np.float32)
        behind = (error[:, None] * output) * (1 - np.square(layer))
        gradient = np.concatenate(
            [(self.inputs.T @ behind).ravel(), behind.sum(axis=0), layer.T @ error]
        )
        pull = _DECAY / n_queries
        loss += 0.5 * pull * float(weights @ weights)
        return loss, gradient.astype(np.float64) + pull * weights


def _inputs(features: Float32Array, means: Float32Array, scales: Float32Array) -> Float32Array:
    """Standardised features, and whether each is missing, float32 [N, 2 F]."""
    known = np.isfinite(features)
    values = np.clip((np.where(known, features, means) - means) * scales, -_LARGEST, _LARGEST)
    return np.concatenate([values, ~known], axis=1).astype(np.float32)


def _mean(values: Float32Array, known: BoolArray) -> Float32Array:
    """The mean of the known values of each column, float32 [F]."""
    sums = np.where(known, values, 0).sum(axis=0, dtype=np.float64)
    means: Float32Array = (sums / np.maximum(known.sum(axis=0), 1)).astype(np.float32)
    return means
