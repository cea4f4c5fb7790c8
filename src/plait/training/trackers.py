"""Records of runs in the tools of the field: TensorBoard, MLflow, Weights & Biases."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from plait.errors import InputError
from plait.pipeline.fit_context import Tracker
from plait.utils.optional_imports import require_extra

__all__ = ["TRACKERS", "MLflow", "TensorBoard", "WandB", "tracker"]

TRACKERS = ("mlflow", "tensorboard", "wandb")
"""The names of trackers; each is an extra of that name."""


def tracker(name: str, folder: Path) -> Tracker:
    """The tracker `name`, writing below `folder`.

    Raises MissingExtraError where its package is not installed, InputError for an unknown name.
    """
    makers: dict[str, Callable[[Path], Tracker]] = {
        "tensorboard": TensorBoard,
        "mlflow": MLflow,
        "wandb": WandB,
    }
    if name not in makers:
        raise InputError(
            f"there is no tracker {name!r}", hint=f"there are {', '.join(TRACKERS)}", field="track"
        )
    return makers[name](folder)


class TensorBoard:
    """Event files, one folder a run, for `tensorboard --logdir FOLDER`."""

    def __init__(self, folder: Path) -> None:
        require_extra("tensorboard", "torch", "tensorboard", extra="tensorboard")
        self._folder = folder
        self._writer: Any = None

    def begin(self, run: str, settings: Mapping[str, Any]) -> None:
        """Open the run's folder."""
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(self._folder / run))
        self._writer.add_text("settings", json.dumps(dict(settings), indent=1))

    def report(self, epoch: int, values: Mapping[str, float]) -> None:
        """One scalar each."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, epoch)

    def end(self) -> None:
        """Close the files."""
        self._writer.close()


class MLflow:
    """A run of MLflow, in a SQLite file below the folder."""

    def __init__(self, folder: Path) -> None:
        require_extra("mlflow", "mlflow", extra="mlflow")
        self._folder = folder
        self._client: Any = None
        self._run = ""

    def begin(self, run: str, settings: Mapping[str, Any]) -> None:
        """Start a run in the experiment `plait`."""
        from mlflow.tracking import MlflowClient

        self._folder.mkdir(parents=True, exist_ok=True)
        self._client = MlflowClient(f"sqlite:///{self._folder / 'mlflow.db'}")
        found = self._client.get_experiment_by_name("plait")
        where = found.experiment_id if found else self._client.create_experiment("plait")
        self._run = self._client.create_run(where, run_name=run).info.run_id
        for name, value in settings.items():
            self._client.log_param(self._run, name, json.dumps(value)[:500])

    def report(self, epoch: int, values: Mapping[str, float]) -> None:
        """One metric each; MLflow knows no @."""
        for name, value in values.items():
            self._client.log_metric(self._run, name.replace("@", "_at_"), value, step=epoch)

    def end(self) -> None:
        """Close the run."""
        self._client.set_terminated(self._run)


class WandB:
    """A run of Weights & Biases, kept offline below the folder: `wandb sync` sends it."""

    def __init__(self, folder: Path) -> None:
        require_extra("wandb", "wandb", extra="wandb")
        self._folder = folder
        self._run: Any = None

    def begin(self, run: str, settings: Mapping[str, Any]) -> None:
        """Start an offline run of the project `plait`."""
        import wandb

        self._folder.mkdir(parents=True, exist_ok=True)
        self._run = wandb.init(
            project="plait",
            name=run,
            dir=str(self._folder),
            config=dict(settings),
            mode="offline",
        )

    def report(self, epoch: int, values: Mapping[str, float]) -> None:
        """One step."""
        self._run.log(dict(values), step=epoch)

    def end(self) -> None:
        """Close the run."""
        self._run.finish()
