"""What `plait.score` is to measure: cut-offs, metrics, slices and candidates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plait.errors import InputError
from plait.experiments.scores.beyond_accuracy import BEYOND_ACCURACY, REVENUE
from plait.experiments.scores.metric_definitions import METRIC_NAMES, Metric
from plait.experiments.scores.sampled_candidates import n_sampled
from plait.utils.number_arguments import plain_number, whole_number
from plait.utils.plain_arguments import as_list, without_numpy

__all__ = ["ScoreRequest", "score_request"]

_MAX_K = 1_000_000
"""The largest cut-off: the discount of each rank is held in memory."""


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
    propensity: Any,
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
    cutoffs = _cutoffs(k)
    names, functions = _checked_metrics(metrics, cutoffs)
    return ScoreRequest(
        cutoffs,
        [name for name in names if name in METRIC_NAMES],
        [name for name in names if name not in METRIC_NAMES],
        functions,
        _checked_slices(slices),
        n_sampled(candidates),
        plain_number(propensity, "propensity", least=0, greatest=4),
        whole_number(seed, "seed", least=0),
    )


def _checked_metrics(
    metrics: Any, cutoffs: Sequence[int]
) -> tuple[list[str], dict[str, Callable[[list[str], set[str]], float]]]:
    """The names of metrics, and by name those that are functions."""
    if isinstance(metrics, str) or callable(metrics):
        metrics = [metrics]
    if not isinstance(metrics, Iterable) or not (entries := list(metrics)):
        message = f"metrics is {metrics!r}, expected names such as 'ndcg', or functions"
        raise InputError(message, field="metrics")
    names: list[str] = []
    functions: dict[str, Callable[[list[str], set[str]], float]] = {}
    for index, metric in enumerate(entries):
        if isinstance(metric, str):
            _check_metric_name(metric)
            names.append(metric)
        elif callable(metric):
            name = str(getattr(metric, "__name__", f"metric_{index}"))
            if functions.setdefault(name, metric) is not metric:
                hint = "define them with def, or set their __name__"
                message = f"two metrics are functions named {name!r}"
                raise InputError(message, hint=hint, field="metrics")
        else:
            message = f"a metric is {metric!r}, expected a name such as 'ndcg', or a function"
            raise InputError(message, field="metrics")
    named = {f"{name}@{cutoff}" for name in names for cutoff in cutoffs}
    if clash := sorted(named & functions.keys()):
        message = f"a function and another metric are named {clash[0]!r}"
        raise InputError(message, hint="set the __name__ of the function", field="metrics")
    return names, functions


def _check_metric_name(name: str) -> None:
    known = (*METRIC_NAMES, *BEYOND_ACCURACY)
    if name in known or name.startswith(REVENUE):
        return
    base, _, cutoff = name.rpartition("@")
    if cutoff.isdecimal() and (base in known or base.startswith(REVENUE)):
        hint = f"pass metrics={base!r}, k={int(cutoff)}"
        message = f"no metric {name!r}: k is the cut-off of all metrics"
        raise InputError(message, hint=hint, field="metrics")
    every = ", ".join([*known, f"{REVENUE}FIELD"])
    hint = f"there are {every}; or pass a function of items and targets"
    raise InputError(f"no metric {name!r}", hint=hint, field="metrics")


def _checked_slices(slices: Any) -> list[str]:
    names = as_list(slices)
    for name in names:
        if not isinstance(name, str):
            message = f"a slice is {name!r}, expected a name such as 'history'"
            raise InputError(message, field="slices")
    return names


def _cutoffs(k: Any) -> list[int]:
    ks = as_list(without_numpy(k))
    if not ks:
        raise InputError("k is empty, expected whole numbers from 1 on", field="k")
    return sorted({whole_number(cut, "k", least=1, greatest=_MAX_K) for cut in ks})
