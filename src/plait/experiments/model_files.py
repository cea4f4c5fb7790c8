"""Saves fitted models to folders and loads them: JSON, Parquet and safetensors, nothing pickled."""

from __future__ import annotations

import inspect
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plait import __version__, models
from plait.errors import BundleError, InputError, PlaitError, StorageError
from plait.experiments.dataset_files import read_dataset, write_dataset
from plait.experiments.estimator import Estimator
from plait.experiments.fitted_model import FittedModel
from plait.pipeline.bundle_files import bundle_files, check_hashes, file_hash, removed_on_failure

__all__ = ["load", "save"]

_MANIFEST = "model.json"
_FORMAT = "plait model"
_VERSION = 1
"""Raised when a folder of today cannot be read any more."""

_KEYS = {
    "format": str,
    "version": int,
    "plait": str,
    "model": str,
    "settings": dict,
    "event_weights": dict,
    "notes": dict,
    "files": dict,
}


def save(fitted: FittedModel[Any], path: str | Path) -> None:
    """Write a fitted model to a folder.

    Args:
        fitted: The fitted model.
        path: The folder. It may hold a saved model, which is replaced, or nothing.

    Raises:
        InputError: If the folder holds something else, or the class is none of `plait.models`.
        StorageError: If the folder cannot be written.
    """
    name = type(fitted.model).__name__
    if type(fitted.model) is not _model_classes().get(name):
        raise InputError(
            f"{name} is none of plait.models",
            hint="save the stage of an own model with fitted.stage.save(folder)",
        )
    folder = Path(path)
    if folder.exists() and not _is_replaceable(folder):
        message = f"{folder} holds files that are no saved model"
        raise InputError(message, hint="name a new folder", field="path")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        with removed_on_failure(draft):
            _write(draft, fitted, name)
            if folder.exists():
                shutil.rmtree(folder)
            draft.chmod(0o755)
            draft.rename(folder)
    except OSError as problem:
        reason = problem.strerror or problem
        raise StorageError(f"the model cannot be written to {folder}: {reason}") from problem


def load(path: str | Path) -> FittedModel[Any]:
    """Load a fitted model that `save` wrote.

    Args:
        path: The folder.

    Returns:
        The fitted model with its settings, event weights and training data. It answers exactly as
        the saved one.

    Raises:
        BundleError: If the folder is no saved model, of another version, or damaged.

    Example:
        >>> import plait
        >>> from plait import models
        >>> train = plait.Dataset.from_arrays(["ann", "ann", "bob"], ["lamp", "mug", "lamp"])
        >>> models.Popular().fit(train).save("popular")
        >>> models.load("popular").recommend(["bob"], k=1)["item"].to_list()
        ['mug']
    """
    folder = Path(path)
    manifest = _manifest(folder)
    check_hashes(folder, manifest["files"])
    model_class = _model_classes().get(manifest["model"])
    if model_class is None:
        raise BundleError(f"{folder}: there is no model {manifest['model']!r} in plait.models")
    try:
        settings = _settings(model_class, manifest["settings"])
        model = model_class(**settings, **model_class.read_data(folder))
        unfitted = model.stage(weight=manifest["notes"].get("weight"))
        stage = type(unfitted).load(unfitted.config, unfitted.name, folder / "stage")
        weights = {str(kind): float(weight) for kind, weight in manifest["event_weights"].items()}
        data = read_dataset(folder / "dataset")
        return FittedModel(model, stage, data, weights, **manifest["notes"])
    except (PlaitError, TypeError, ValueError, OSError) as problem:
        raise BundleError(
            f"{folder} cannot be loaded as {manifest['model']}: {problem}",
            hint="fit the model again and save it",
        ) from problem


def _write(folder: Path, fitted: FittedModel[Any], name: str) -> None:
    for part in ("stage", "dataset"):
        (folder / part).mkdir()
    fitted.stage.save(folder / "stage")
    write_dataset(folder / "dataset", fitted.dataset)
    fitted.model.write_data(folder)
    files = {path.relative_to(folder).as_posix(): file_hash(path) for path in bundle_files(folder)}
    manifest = {
        "format": _FORMAT,
        "version": _VERSION,
        "plait": __version__,
        "model": name,
        "settings": fitted.model.settings,
        "event_weights": fitted.event_weights,
        "notes": fitted.notes,
        "files": files,
    }
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a saved model, checked."""
    if not (folder / _MANIFEST).is_file():
        raise BundleError(
            f"{folder} is no saved model: it has no {_MANIFEST}",
            hint="name a folder that fitted.save(folder) wrote",
        )
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise BundleError(f"{folder}: cannot read {_MANIFEST}: {problem}") from problem
    if not isinstance(manifest, dict) or manifest.get("format") != _FORMAT:
        raise BundleError(f"{folder}: {_MANIFEST} is not that of a saved model")
    if manifest.get("version") != _VERSION:
        raise BundleError(
            f"{folder} has the format version {manifest.get('version')!r}, expected {_VERSION}",
            hint="load it with the version of Plait that saved it, or fit again",
        )
    for key, kind in _KEYS.items():
        if not isinstance(manifest.get(key), kind):
            raise BundleError(f"{folder}: {key} in {_MANIFEST} is no {kind.__name__}")
    unsafe = [name for name in manifest["files"] if Path(name).is_absolute() or ".." in name]
    if unsafe:
        raise BundleError(f"{folder}: {_MANIFEST} names the file {unsafe[0]!r}")
    return manifest


def _settings(model_class: type[Estimator], saved: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as the constructor had them: JSON has no tuples."""
    parameters = inspect.signature(model_class).parameters
    return {
        name: tuple(value)
        if name in parameters and isinstance(parameters[name].default, tuple)
        else value
        for name, value in saved.items()
    }


def _model_classes() -> dict[str, type[Estimator]]:
    """The models of `plait.models` by name."""
    values = {name: getattr(models, name) for name in models.__all__}
    return {
        name: value
        for name, value in values.items()
        if isinstance(value, type) and issubclass(value, Estimator)
    }


def _is_replaceable(folder: Path) -> bool:
    """Whether a folder is empty or a saved model."""
    if not folder.is_dir():
        return False
    return (folder / _MANIFEST).is_file() or not any(folder.iterdir())
