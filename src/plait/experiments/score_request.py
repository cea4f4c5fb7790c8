"""What `plait.score` is to measure: cut-offs, metrics, slices and candidates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from plait.errors import InputError
from plait.experiments.beyond_accuracy import BEYOND_ACCURACY, REVENUE
from plait.experiments.fitted_model import check_count
from plait.experiments.list_candidates import n_sampled
from plait.experiments.metric_definitions import METRIC_NAMES, Metric

__all__ = ["ScoreRequest", "score_request"]


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """What is measured.

    Attributes:
        ks: The cut-offs, ascending.
        accuracy: Names of metrics of hits alone.
        others: Names of metrics that need train or fields.
        functions: Metrics of the user, by name.
        slices: Names of slices.
        n_sampled: How many candidates are drawn for each user; 0: all items are candidates.
        propensity: The power of the popularity that is the propensity of an item.
        seed: The seed of the candidates.
    """

    ks: list[int]
    accuracy: list[str]
    others: list[str]
    functions: Mapping[str, Callable[[list[str], set[str]], float]]
    slices: list[str]
    n_sampled: int
    propensity: float
    seed: int

    @property
    def needs_facts(self) -> bool:
        """Whether train or fields are looked at."""
        return bool(self.slices or self.n_sampled or self.others)

    @property
    def candidates(self) -> str:
        """The candidates, in words."""
        if not self.n_sampled:
            return "all"
        return (
            f"the targets and {self.n_sampled} random items of each user: such values do not "
            "compare with those over all items (Krichene and Rendle, 2020)"
        )


def score_request(
    k: int | Sequence[int],
    metrics: Sequence[Metric] | Metric,
    slices: Sequence[str] | str,
    candidates: str,
    propensity: float,
    seed: int,
) -> ScoreRequest:
    """Check the options of `plait.score`.

    Args:
        k: Cut-offs.
        metrics: Names of metrics, or functions.
        slices: Names of slices.
        candidates: "all" or "sampled:N".
        propensity: The power of the popularity that is the propensity of an item.
        seed: The seed of the candidates.

    Returns:
        What is measured.

    Raises:
        InputError: If an option cannot be understood.
    """
    if not 0 <= propensity <= 4:
        hint = "0 counts all targets alike, 1 is inverse popularity"
        message = f"propensity is {propensity}, expected a number from 0 to 4"
        raise InputError(message, hint=hint, field="propensity")
    if isinstance(metrics, str) or callable(metrics):
        metrics = [metrics]
    names = [metric for metric in metrics if isinstance(metric, str)]
    known = (*METRIC_NAMES, *BEYOND_ACCURACY)
    unknown = [name for name in names if name not in known and not name.startswith(REVENUE)]
    if unknown:
        every = ", ".join([*known, f"{REVENUE}FIELD"])
        hint = f"there are {every}; or pass a function of items and targets"
        raise InputError(f"no metric {unknown[0]!r}", hint=hint, field="metrics")
    functions = {
        getattr(metric, "__name__", f"metric_{index}"): metric
        for index, metric in enumerate(metrics)
        if not isinstance(metric, str)
    }
    return ScoreRequest(
        _cutoffs(k),
        [name for name in names if name in METRIC_NAMES],
        [name for name in names if name not in METRIC_NAMES],
        functions,
        [slices] if isinstance(slices, str) else list(slices),
        n_sampled(candidates),
        float(propensity),
        seed,
    )


def _cutoffs(k: int | Sequence[int]) -> list[int]:
    ks: list[Any] = list(k) if isinstance(k, Sequence | np.ndarray) else [k]
    if not ks:
        raise InputError("k is empty, expected whole numbers from 1 on", field="k")
    for cut in ks:
        check_count(cut, "k")
    return sorted({int(cut) for cut in ks})
