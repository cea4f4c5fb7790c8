"""Records of training runs in TensorBoard, MLflow and Weights & Biases, through accelerate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plait.errors import InputError
from plait.pipeline.fit_context import Tracker
from plait.utils.optional_imports import require_extra
from plait.utils.plain_arguments import as_list

__all__ = ["TRACKERS", "AccelerateTracker", "tracker", "trackers_from"]

TRACKERS = ("mlflow", "tensorboard", "wandb")
"""The names of trackers; each is an extra of that name."""


def tracker(name: str, folder: Path, field: str = "track") -> Tracker:
    """Return a tracker that writes below a folder.

    Args:
        name: One of `TRACKERS`.
        folder: Where it writes. TensorBoard: one folder for each run; MLflow: a SQLite file;
            Weights & Biases: offline runs that `wandb sync` sends.
        field: The argument that an error names.

    Raises:
        InputError: No tracker has this name.
        MissingExtraError: Its package is not installed.
    """
    if name not in TRACKERS:
        raise InputError(
            f"unknown tracker {name!r}", hint=f"there are {', '.join(TRACKERS)}", field=field
        )
    require_extra(name, "torch", "accelerate", name, extra=name)
    return AccelerateTracker(name, folder)


def trackers_from(values: Any, folder: Path, field: str = "track") -> tuple[Tracker, ...]:
    """Return trackers by their names, beside those that are trackers already.

    Args:
        values: Names of `TRACKERS` and objects with `begin`, `report` and `end`; one or several.
        folder: Where trackers by name write.
        field: The argument that an error names.

    Returns:
        The trackers.

    Raises:
        InputError: No tracker has a name, or an object lacks a method.
        MissingExtraError: The package of a tracker is not installed.
    """
    trackers: list[Tracker] = []
    is_single = hasattr(values, "begin")
    for entry in [values] if is_single else as_list(values):
        value = tracker(entry, folder, field) if isinstance(entry, str) else entry
        methods = ("begin", "report", "end")
        missing = [name for name in methods if not callable(getattr(value, name, None))]
        if missing:
            raise InputError(
                f"{value!r} is no tracker: it has no method {missing[0]}",
                hint=f"pass one of {', '.join(TRACKERS)}, or an object with begin, report and end",
                field=field,
            )
        trackers.append(value)
    return tuple(trackers)


class AccelerateTracker:
    """A tracker of accelerate, started anew for every run.

    Args:
        name: One of `TRACKERS`.
        folder: Where it writes.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self._name, self._folder = name, folder
        self._tracker: Any = None

    def begin(self, run: str, settings: Mapping[str, Any]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._tracker = self._build(run)
        self._tracker.start()
        self._tracker.store_init_configuration(_flat(settings))

    def report(self, epoch: int, values: Mapping[str, float]) -> None:
        # MLflow does not accept @ in the name of a metric.
        separator = "_at_" if self._name == "mlflow" else "@"
        values = {name.replace("@", separator): value for name, value in values.items()}
        self._tracker.log(values, step=epoch)

    def end(self) -> None:
        self._tracker.finish()

    def _build(self, run: str) -> Any:
        """accelerate's tracker for one run; the project of MLflow and W&B is `plait`."""
        from accelerate import tracking

        if self._name == "tensorboard":
            return tracking.TensorBoardTracker(run, str(self._folder))
        if self._name == "wandb":
            return tracking.WandBTracker("plait", name=run, dir=str(self._folder), mode="offline")
        import mlflow

        mlflow.set_tracking_uri(f"sqlite:///{self._folder / 'mlflow.db'}")
        return tracking.MLflowTracker("plait", run_name=run)


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings by dotted name; what is not a single value as JSON."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            is_scalar = isinstance(value, bool | int | float | str)
            flat[f"{prefix}{name}"] = value if is_scalar else json.dumps(value)
    return flat
