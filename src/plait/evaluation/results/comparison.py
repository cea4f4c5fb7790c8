"""Rows of one or several runs side by side: paired differences and a plain verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isnan
from typing import Any

import numpy as np

from plait.errors import InputError, ProtocolError
from plait.evaluation.results.per_query import PerQueryMetrics, better
from plait.evaluation.results.report import FUSED, Difference, listless
from plait.evaluation.results.run_store import Run
from plait.evaluation.results.seed_variance import ONE_SEED, SeedVariance, seeded, with_seed_margin
from plait.evaluation.results.undefined_metrics import ends_of, undefined_metric_notes
from plait.metrics.bootstrap import Interval

__all__ = [
    "ComparedRow",
    "Comparison",
    "active_warnings",
    "compare",
    "joint",
    "main_metrics",
    "notes",
    "seeds",
    "sliced",
    "verdict",
]

MAIN = ("ndcg", "recall", "rmse", "mae", "gauc", "log_loss")
"""The metrics that decide, the first that a run has first."""


@dataclass(frozen=True, slots=True, eq=False)
class ComparedRow:
    """A row of a run under the name that a reader sees; `data` is the report's.

    `seeds`: how many it is the mean of. `seeded`: whether it comes from a stage that trains.
    """

    label: str
    row: Mapping[str, Any]
    data: Mapping[str, Any] = field(default_factory=dict)
    seeds: int = 1
    seeded: bool = False

    @property
    def baseline(self) -> bool:
        """Whether it is one."""
        return bool(self.row["baseline"])

    @property
    def silent(self) -> bool:
        """Whether it had no list for anybody."""
        return listless(self.metrics)

    @property
    def metrics(self) -> dict[str, Interval]:
        """All metrics by name."""
        return {name: Interval.of(one) for name, one in self.row["metrics"].items()}

    def metric(self, name: str) -> Interval | None:
        """A metric with its interval, if the row has it."""
        found = self.row["metrics"].get(name)
        return None if found is None else Interval.of(found)


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """`entries`, the best first, by the first of `metrics` that somebody could be measured on;
    `differences`: the best less each other.

    `common`: how many queries all of them share, of `most` that one of them has.
    """

    runs: Sequence[Run]
    entries: Sequence[ComparedRow]
    metrics: Sequence[str]
    differences: Sequence[Difference]
    common: int
    most: int

    @property
    def main(self) -> str:
        """The metric that decides: the first that somebody could be measured on."""
        return _deciding(self.entries, self.metrics)

    def to_dict(self) -> dict[str, Any]:
        """As `plait compare --json` writes it."""
        return {
            "runs": [one.name for one in self.runs],
            "protocol": dict(self.runs[0].report["protocol"]),
            "rows": [{"label": one.label, **one.row} for one in self.entries],
            "differences": [{**one.to_dict(), "verdict": verdict(one)} for one in self.differences],
            "queries": self.common,
        }


def compare(
    runs: Sequence[Run], rows: Sequence[str] = (), *, resamples: int = 1000, seed: int = 0
) -> Comparison:
    """Rows of `runs` against the best of them, query by query, on the queries that all have.

    `rows`: which of each run; none: the fusions of several runs, of a single one all that had a
    list for anybody. Of more than two rows the intervals hold for all pairs at once. Raises
    ProtocolError, saying how they differ, unless protocol and data are the same.
    """
    if not runs:
        raise InputError("there is no run to compare", field="run")
    for one in runs[1:]:
        _check_same(runs[0], one)
    chosen = [(run, row) for run in runs for row in _rows(run, rows, alone=len(runs) == 1)]
    _check_rows(runs, rows, [row for _, row in chosen])
    if len(chosen) < 2:
        raise InputError(
            "there is one row, and nothing to compare it with",
            hint="name another run, or rows: --row fused --row popular-recent",
            field="run",
        )
    names = _labels(chosen)
    entries = [_entry(name, run, row) for name, (run, row) in zip(names, chosen, strict=True)]
    metrics = main_metrics([run.detail for run in runs])
    joined, most = _joined(chosen, names, metrics)
    first = _deciding(entries, metrics)
    order = sorted(entries, key=lambda one: _standing(one, first))
    labels = [one.label for one in order]
    found = [
        Difference(metric, labels[0], other, gap, users=joined.count(metric))
        for other, *gaps in zip(
            labels[1:],
            *(joined.ahead(one, labels, resamples=resamples, seed=seed) for one in metrics),
            strict=True,
        )
        for metric, gap in zip(metrics, gaps, strict=True)
    ]
    known = [one for one in found if one.known]
    apart = {
        one.label: SeedVariance(one.seeds, one.row.get("spread") or {}, one.seeded)
        for one in entries
    }
    return Comparison(runs, order, metrics, with_seed_margin(known, apart), len(joined.keys), most)


def main_metrics(details: Sequence[PerQueryMetrics]) -> list[str]:
    """The metrics that decide, at their largest k, that all runs kept."""
    kept = set.intersection(*(set(one.metrics) for one in details))
    found = []
    for name in MAIN:
        mine = [one for one in kept if one.partition("@")[0] == name]
        if mine:
            found.append(max(mine, key=lambda one: int(one.partition("@")[2] or 0)))
    return found


def sliced(metric: str) -> str:
    """What slices show where `metric` decides: AUC for GAUC, which a slice has few users for."""
    return "auc" if metric == "gauc" else metric


def joint(found: Comparison) -> str:
    """What the intervals of several differences stand for."""
    many = len(found.entries)
    return f"of {many} rows, the intervals hold for all pairs at once: luck among many is no lead"


def verdict(one: Difference) -> str:
    """What a difference says, in words: a tie if another sample, or seeds, could turn it round;
    unknown where there are too few users to say.
    """
    gap = one.difference
    if one.unknown:
        ahead = f"({gap.value:+.4f}{ends_of(gap)}; {one.doubt})"
        return f"{one.metric}: unknown, {one.model} and {one.against} {ahead}"
    ends = f"[{gap.low:+.4f} {gap.high:+.4f}]"
    if one.by_seeds:
        return (
            f"{one.metric}: tie within the spread of seeds, {one.model} and {one.against} "
            f"({gap.value:+.4f} {ends}; seeds alone may make {one.seed_margin:.4f})"
        )
    if one.tie:
        return f"{one.metric}: tie, {one.model} and {one.against} ({gap.value:+.4f} {ends})"
    ahead, behind = one.model, one.against
    if not better(one.metric, gap.value):
        ahead, behind = behind, ahead
    if gap.value < 0:  # by how much the better is better, whichever way the metric goes
        ends = f"[{-gap.high:+.4f} {-gap.low:+.4f}]"
    return f"{one.metric}: {ahead} is better than {behind} by {abs(gap.value):.4f} {ends}"


def _rows(run: Run, wanted: Sequence[str], *, alone: bool) -> list[str]:
    """The rows of a run that take part."""
    there = list(run.detail.values)
    if not wanted:
        fused = [one for one in there if one == FUSED or one.endswith(f"/{FUSED}")]
        heard = [one for one in there if not ComparedRow(one, run.row(one)).silent] or there
        return heard if alone else fused or there[:1]
    return list(dict.fromkeys(one for name in wanted for one in there if _is(one, name)))


def _entry(label: str, run: Run, row: str) -> ComparedRow:
    recipes = run.report.get("recipes") or {}
    found = run.row(row)
    return ComparedRow(label, found, run.report["data"], _many_seeds(run), seeded(row, recipes))


def _many_seeds(run: Run) -> int:
    return len(run.report.get("seeds") or [0])


def _is(row: str, name: str) -> bool:
    """Whether a reader who says `name` means this row."""
    return row == name or row.endswith(f"/{name}")


def _check_rows(runs: Sequence[Run], wanted: Sequence[str], found: Sequence[str]) -> None:
    """InputError for a row that no run has; it names those there are."""
    for name in wanted:
        if not any(_is(one, name) for one in found):
            there = dict.fromkeys(one for run in runs for one in run.detail.values)
            raise InputError(
                f"there is no row {name!r} in {', '.join(run.name for run in runs)}",
                hint=f"there are {', '.join(there)}",
                field="row",
            )


def _labels(chosen: Sequence[tuple[Run, str]]) -> list[str]:
    """Names that tell the rows apart: the row, with its recipe or its run where that is needed."""
    rows = [row for _, row in chosen]
    if len(set(rows)) == len(rows):
        return rows
    recipes = [
        f"{next(iter(run.report.get('recipes') or {run.name: None}))}/{row}" for run, row in chosen
    ]
    if len(set(recipes)) == len(recipes):
        return recipes
    found = [f"{run.name}/{row}" for run, row in chosen]
    return found if len(set(found)) == len(found) else [f"{n}:{one}" for n, one in enumerate(found)]


def _check_same(one: Run, other: Run) -> None:
    """ProtocolError with every difference of two runs that makes their numbers incomparable."""
    wrong = []
    if one.hash != other.hash:
        mine, theirs = one.report["protocol"], other.report["protocol"]
        names = sorted((set(mine) | set(theirs)) - {"hash"})
        wrong += [
            f"{name} is {mine.get(name)!r} and {theirs.get(name)!r}"
            for name in names
            if mine.get(name) != theirs.get(name)
        ] or [f"the protocols are {one.hash} and {other.hash}"]
    for name, said in (("version", "the log ends at"), ("fingerprint", "the interactions are")):
        mine, theirs = one.report["data"].get(name), other.report["data"].get(name)
        if mine != theirs:
            wrong.append(f"{said} {mine} and {theirs}")
    if wrong:
        raise ProtocolError(
            f"{one.name} and {other.name} cannot be compared: {'; '.join(wrong)}",
            hint="evaluate both by one protocol on one state of the log",
            field="run",
        )


def _joined(
    chosen: Sequence[tuple[Run, str]], names: Sequence[str], metrics: Sequence[str]
) -> tuple[PerQueryMetrics, int]:
    """All rows on their common queries, and the most queries that one of them has."""
    details = [run.detail for run, _ in chosen]
    common = details[0].keys
    for one in details[1:]:
        common = np.intersect1d(common, one.keys)
    if not len(common):
        raise ProtocolError("the runs have no query in common", field="run")
    values = {}
    first: PerQueryMetrics | None = None
    for name, (_, row), one in zip(names, chosen, details, strict=True):
        order = np.argsort(one.keys, kind="stable")
        part = one.take(order[np.searchsorted(one.keys, common, sorter=order)])
        values[name] = {metric: part.values[row][metric] for metric in metrics}
        first = first or part
    assert first is not None
    most = max(len(one.keys) for one in details)
    return PerQueryMetrics(first.keys, first.users, values, first.weights), most


def _standing(one: ComparedRow, metric: str) -> float:
    """Smaller is better."""
    found = one.metric(metric)
    if found is None or isnan(found.value):
        return inf
    return -found.value if better(metric, 1.0) else found.value


def _deciding(entries: Sequence[ComparedRow], metrics: Sequence[str]) -> str:
    """The first of `metrics` that one of the entries has a value for."""
    known = (one for one in metrics if any(_standing(entry, one) < inf for entry in entries))
    return next(known, metrics[0])


def notes(found: Comparison) -> Iterator[str]:
    """What is compared, and the verdicts."""
    report = found.runs[0].report
    yield f"protocol {report['protocol']['name']}, hash {report['protocol']['hash']}"
    left = f", of {found.most:,}" if found.common < found.most else ""
    yield f"{found.common:,} common queries{left}, paired by query, users drawn 1,000 times"
    if len(found.entries) > 2:
        yield joint(found)
    yield from seeds(found)
    yield from undefined_metric_notes([one.metrics for one in found.entries], found.metrics)
    yield from (verdict(one) for one in found.differences)
    for name, text in active_warnings(found):
        yield f"flag {name}: {text}"


def seeds(found: Comparison) -> Iterator[str]:
    """How many seeds the runs pool, if not one; and where one is all that a trained row has."""
    many = sorted({_many_seeds(run) for run in found.runs})
    if len(many) > 1:
        yield f"the runs pool {' and '.join(str(one) for one in many)} seeds"
    elif many[0] > 1:
        yield f"means over {many[0]} seeds"
    lone = [one.label for one in found.entries if one.seeded and one.seeds == 1]
    if lone:
        yield ONE_SEED if len(many) == 1 else f"{', '.join(lone)}: {ONE_SEED}"


def active_warnings(found: Comparison) -> list[tuple[str, str]]:
    """The flags that are raised in one of the runs, name and text, each once."""
    flags = (one for run in found.runs for one in run.report.get("flags", ()) if one["raised"])
    return list(dict.fromkeys((str(one["name"]), str(one["text"])) for one in flags))
