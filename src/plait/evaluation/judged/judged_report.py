"""The report of an evaluation by judgements, its JSON and its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from plait.evaluation.results.report import Result

if TYPE_CHECKING:
    import polars as pl

__all__ = ["PROTOCOLS", "JudgedReport"]

PROTOCOLS = ("collection", "rerank")
"""The protocols that measure by judgements."""


@dataclass(frozen=True, slots=True, repr=False)
class JudgedReport:
    """The result of an evaluation by judgements.

    Attributes:
        protocol: "collection": all items are ranked; "rerank": the judged ones of each query.
        k: The cut-off.
        bundle: The id of the bundle that answered.
        results: The rows of the recipe, its models and the baselines.
        left_out: Baselines that are not measured, with the reason.
        data: Counts and identity of the judgements.
        seed: The seed of resamples and folds.
    """

    protocol: str
    k: int
    bundle: str
    results: Sequence[Result]
    left_out: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0

    def __repr__(self) -> str:
        rows = ", ".join(row.model for row in self.results)
        return f"JudgedReport({self.protocol}: {rows})"

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON holds it, rows in the form of other evaluations."""
        return {
            "protocol": {"name": self.protocol, "k": [self.k], "seed": self.seed},
            "bundle": self.bundle,
            "data": dict(self.data),
            "results": [row.to_dict() for row in self.results],
            "left_out": dict(self.left_out),
        }

    def to_frame(self) -> pl.DataFrame:
        """Return every metric of every row.

        Returns:
            A polars frame with the columns model, baseline, metric, value, low and high.
        """
        import polars as pl

        return pl.DataFrame(
            [
                {"model": row.model, "baseline": row.baseline, "metric": name, **value._asdict()}
                for row in self.results
                for name, value in row.metrics.items()
            ]
        )

    def __str__(self) -> str:
        """A table of the rows, best first, and what is left out."""
        names = list(self.results[0].metrics) if self.results else []
        main = names[0] if names else ""
        rows = sorted(self.results, key=lambda row: -row.metrics[main].value)
        width = max([5, *(len(row.model) for row in rows)])
        lines = ["  ".join([f"{'model':<{width}}", *(f"{name:>22}" for name in names)])]
        for row in rows:
            cells = (
                f"{value.value:.4f} [{value.low:.4f}, {value.high:.4f}]"
                if value.low == value.low
                else f"{value.value:.4f}"
                for value in row.metrics.values()
            )
            lines.append("  ".join([f"{row.model:<{width}}", *(f"{cell:>22}" for cell in cells)]))
        lines += [f"left out: {name}: {reason}" for name, reason in self.left_out.items()]
        return "\n".join(lines)
