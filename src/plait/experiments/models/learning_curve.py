"""A tracker that holds the learning curves of fits, for frames and plots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from plait.errors import InputError
from plait.evaluation.reporting.plot_style import require_matplotlib

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Curve"]


class Curve:
    """The values of every epoch of the trainings that it tracks.

    Pass it in `trackers=` to the `fit` of one or more models.

    Attributes:
        runs: The settings of each run by its name, in the order of their start.
        rows: A mapping for each epoch: run, epoch, loss, learning_rate, the metric of validation.

    Example:
        >>> import plait
        >>> curve = plait.Curve()
        >>> curve.begin("SASRec", {"seed": 0})
        >>> curve.report(1, {"loss": 2.5})
        >>> curve.report(2, {"loss": 2.0})
        >>> curve.to_frame()["loss"].to_list()
        [2.5, 2.0]
    """

    def __init__(self) -> None:
        self.runs: dict[str, Mapping[str, object]] = {}
        self.rows: list[dict[str, Any]] = []
        self._run = ""

    def begin(self, run: str, settings: Mapping[str, object]) -> None:
        """Start a run; a second one of the same name has a number behind it.

        Args:
            run: The name of the run.
            settings: Its settings.
        """
        name, count = run, 1
        while name in self.runs:
            count += 1
            name = f"{run} {count}"
        self.runs[name] = settings
        self._run = name

    def report(self, epoch: int, values: Mapping[str, float]) -> None:
        """Add the values of an epoch.

        Args:
            epoch: The number of finished epochs.
            values: Values by name.
        """
        self.rows.append({"run": self._run, "epoch": epoch, **values})

    def end(self) -> None:
        """End the run; its values stay."""

    def to_frame(self) -> pl.DataFrame:
        """Return the columns run, epoch and one for each value, null where it was not measured."""
        import polars as pl

        if not self.rows:
            return pl.DataFrame(schema={"run": pl.String, "epoch": pl.Int64})
        return pl.DataFrame(self.rows, infer_schema_length=None)

    def plot(self, values: tuple[str, ...] | list[str] | str | None = None) -> Any:
        """Draw the curves of all runs.

        Args:
            values: The names of values, a plot for each; None: the loss, and what validation
                measured.

        Returns:
            A figure of matplotlib; notebooks show it.

        Raises:
            MissingExtraError: Without matplotlib.
            InputError: If nothing was recorded, or there is no such value.
        """
        require_matplotlib()
        from matplotlib.figure import Figure

        frame = self.to_frame()
        if not len(frame):
            raise InputError("no epoch was recorded", hint="pass the curve in trackers= to fit")
        recorded = [name for name in frame.columns if name not in ("run", "epoch")]
        if values is None:
            names = [name for name in recorded if name not in ("learning_rate", "items_per_second")]
        else:
            names = [values] if isinstance(values, str) else list(values)
        if unknown := sorted(set(names) - set(recorded)):
            hint = f"there are {', '.join(recorded)}"
            raise InputError(f"no value {unknown[0]!r} was recorded", hint=hint, field="values")
        figure = Figure(figsize=(4.0 * len(names), 3.2), layout="constrained")
        for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
            for (run,), rows in frame.group_by("run", maintain_order=True):
                measured = rows.drop_nulls(name)
                axes.plot(measured["epoch"].to_list(), measured[name].to_list(), label=str(run))
            axes.set_xlabel("epoch")
            axes.set_title(name)
            axes.legend()
        return figure

    def __repr__(self) -> str:
        return f"Curve: {len(self.runs)} runs, {len(self.rows)} epochs"
