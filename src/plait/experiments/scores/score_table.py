"""The table of `plait.score`: means with intervals, paired comparisons, values per user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from plait.data.array_types import Float64Array
from plait.errors import NotFoundError
from plait.evaluation.results.paired_difference import Difference
from plait.metrics.bootstrap import Interval, intervals

__all__ = ["ScoreTable", "UserMetrics"]


_NO_BEST = ("popularity@", "gini@", "intra_list_similarity@")
"""Metrics of which neither more nor less is better."""


@dataclass(frozen=True, slots=True, eq=False)
class UserMetrics:
    """The metrics of one model for U users.

    Attributes:
        items: The measured list of each user.
        values: float64 [U] by metric.
        flags: What a reader must know, such as users without a list.
        slices: By slice and metric float64 [U], NaN for users outside the slice.
    """

    items: Sequence[list[str]]
    values: Mapping[str, Float64Array]
    flags: Sequence[str] = ()
    slices: Mapping[str, Mapping[str, Float64Array]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, repr=False)
class ScoreTable:
    """Metrics of several models on the same users.

    Attributes:
        users: The ids of U users.
        rows: The metrics of each model by its name.
        settings: How was measured.
        resamples: Samples of users for the intervals.
        seed: The seed of the samples.

    Example:
        >>> import plait
        >>> lists = {"a": {"ann": ["mug"], "bob": ["cup"]}, "b": {"ann": ["pot"], "bob": ["cup"]}}
        >>> table = plait.score(lists, [("ann", "mug"), ("bob", "cup")], k=1, metrics="recall")
        >>> table.to_frame().select("model", "value").rows()
        [('a', 1.0), ('b', 0.5)]
        >>> table.per_user("b")["user"].to_list()
        ['ann', 'bob']
    """

    users: Sequence[str]
    rows: Mapping[str, UserMetrics]
    settings: Mapping[str, Any]
    resamples: int = 1000
    seed: int = 0
    _means: dict[str, dict[str, Interval]] = field(default_factory=dict)

    def interval(self, model: str, metric: str) -> Interval:
        """Return the mean of a metric over users with its 95 % interval.

        Args:
            model: The name of the model.
            metric: The metric, such as "ndcg@10".

        Raises:
            NotFoundError: If there is no such model or metric.
        """
        row = self._row(model)
        if metric not in row.values:
            known = ", ".join(row.values)
            raise NotFoundError(f"no metric {metric!r}", hint=f"there are {known}", field="metric")
        if model not in self._means:
            self._means[model] = self._intervals(row.values)
        return self._means[model][metric]

    def value(self, model: str, metric: str) -> float:
        """Return the mean of a metric over users.

        Args:
            model: The name of the model.
            metric: The metric, such as "ndcg@10".

        Raises:
            NotFoundError: If there is no such model or metric.
        """
        return self.interval(model, metric).value

    def compare(self, model: str, against: str) -> list[Difference]:
        """Compare two models user by user.

        Args:
            model: The name of the first.
            against: The name of the second.

        Returns:
            The paired difference of each metric with its interval.

        Raises:
            NotFoundError: If there is no such model.
        """
        first, second = self._row(model).values, self._row(against).values
        gaps = {metric: first[metric] - second[metric] for metric in first}
        return [
            Difference(metric, model, against, gap, users=int(np.isfinite(gaps[metric]).sum()))
            for metric, gap in self._intervals(gaps).items()
        ]

    def by_slice(self) -> pl.DataFrame:
        """Return the means by slice.

        A slice of users holds these users. A slice of targets, such as "popularity:1-4", holds the
        users who have such a target, and no other target counts.

        Returns:
            The columns model, slice, users, metric, value, low and high.
        """
        cells = [
            {
                "model": model,
                "slice": name,
                "users": int(np.isfinite(values[metric]).sum()),
                "metric": metric,
                **interval._asdict(),
            }
            for model, row in self.rows.items()
            for name, values in row.slices.items()
            for metric, interval in self._intervals(values).items()
        ]
        kinds = {"model": pl.String, "slice": pl.String, "users": pl.Int64, "metric": pl.String}
        return pl.DataFrame(cells, schema={**kinds, **dict.fromkeys(Interval._fields, pl.Float64)})

    def per_user(self, model: str) -> pl.DataFrame:
        """Return the values of every user.

        Args:
            model: The name of the model.

        Returns:
            The columns user, items (the measured list), and one for each metric, null where a
            list is too short to have a value.

        Raises:
            NotFoundError: If there is no such model.
        """
        row = self._row(model)
        lists = pl.Series("items", list(row.items), dtype=pl.List(pl.String))
        values = {name: pl.Series(column).fill_nan(None) for name, column in row.values.items()}
        return pl.DataFrame({"user": list(self.users), "items": lists, **values})

    def to_frame(self) -> pl.DataFrame:
        """Return the table as a frame.

        Returns:
            The columns model, metric, value, low and high.
        """
        cells = [
            {"model": model, "metric": metric, **self.interval(model, metric)._asdict()}
            for model, row in self.rows.items()
            for metric in row.values
        ]
        return pl.DataFrame(cells)

    def to_markdown(self, digits: int = 4) -> str:
        """Return the means as a Markdown table; the best of each metric is bold.

        Args:
            digits: Decimals.
        """
        header, body = self._cells(digits, "**{}**")
        lines = [header, ["---"] * len(header), *body]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def to_latex(self, digits: int = 4) -> str:
        """Return the means as a LaTeX table (booktabs); the best of each metric is bold.

        Args:
            digits: Decimals.
        """
        header, body = self._cells(digits, r"\textbf{{{}}}")
        header, *rows = ([_latex(cell) for cell in line] for line in (header, *body))
        lines = [f"{' & '.join(line)} \\\\" for line in (header, *rows)]
        columns = "l" + "r" * (len(header) - 1)
        begin = [f"\\begin{{tabular}}{{{columns}}}", "\\toprule", lines[0], "\\midrule"]
        return "\n".join([*begin, *lines[1:], "\\bottomrule", "\\end{tabular}"])

    def __str__(self) -> str:
        frame = self.to_frame()
        model_width, metric_width = (
            max(least, *map(len, frame[column]))
            for column, least in (("model", 20), ("metric", 18))
        )
        rows = [
            f"{cell['model']:<{model_width}} {cell['metric']:<{metric_width}} {cell['value']:.4f}"
            f"  [{cell['low']:.4f}, {cell['high']:.4f}]"
            for cell in frame.iter_rows(named=True)
        ]
        settings = [f"{name}: {value}" for name, value in self.settings.items()]
        flags = [f"{name}: {flag}" for name, row in self.rows.items() for flag in row.flags]
        return "\n".join([*rows, "", *settings, *flags])

    def __repr__(self) -> str:
        return f"ScoreTable({', '.join(self.rows)}; {len(self.users):,} users)"

    def _repr_html_(self) -> str:
        html: str = self.to_frame()._repr_html_()
        return html

    def _intervals(self, columns: Mapping[str, Float64Array]) -> dict[str, Interval]:
        """The means over the users who have a value, by metric."""
        masks = {name: np.isfinite(column) for name, column in columns.items()}
        complete = [name for name, mask in masks.items() if mask.all()]
        groups = [complete, *([name] for name in columns if name not in complete)]
        means: dict[str, Interval] = {}
        for names in filter(None, groups):
            table = np.stack([columns[name][masks[name]] for name in names], axis=1)
            estimates = intervals(table, resamples=self.resamples, seed=self.seed)
            means |= dict(zip(names, estimates, strict=True))
        return {name: means[name] for name in columns}

    def _row(self, model: str) -> UserMetrics:
        if model not in self.rows:
            known = ", ".join(self.rows)
            raise NotFoundError(f"no model {model!r}", hint=f"there are {known}", field="model")
        return self.rows[model]

    def _cells(self, digits: int, bold: str) -> tuple[list[str], list[list[str]]]:
        """The header and the rows of the means; the best of each metric in bold."""
        metrics = list(dict.fromkeys(name for row in self.rows.values() for name in row.values))
        table = np.array([[self.value(model, metric) for metric in metrics] for model in self.rows])
        best = np.where(np.isnan(table), -np.inf, table).max(axis=0, initial=-np.inf)
        best[[metric.startswith(_NO_BEST) for metric in metrics]] = np.nan
        body = [
            [
                model,
                *(
                    (bold if value == top else "{}").format(f"{value:.{digits}f}")
                    for value, top in zip(row, best, strict=True)
                ),
            ]
            for model, row in zip(self.rows, table, strict=True)
        ]
        return ["model", *metrics], body


def _latex(text: str) -> str:
    """Text with LaTeX's special characters escaped; commands of ours stay."""
    if text.startswith("\\textbf"):
        return text
    return "".join(f"\\{sign}" if sign in "&%$#_{}" else sign for sign in text)
