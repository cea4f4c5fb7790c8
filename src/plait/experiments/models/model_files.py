"""Saves fitted models to folders and loads them: JSON, Parquet and safetensors, nothing pickled."""

from __future__ import annotations

import inspect
import json
import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scipy import sparse

from plait import __version__, models
from plait.errors import BundleError, InputError, MissingExtraError, StorageError
from plait.experiments.data.dataset_files import read_dataset, write_dataset
from plait.experiments.models.estimator import Estimator
from plait.experiments.models.fit_data import queries_for
from plait.experiments.models.fitted_model import FittedModel
from plait.experiments.models.saved_folders import check_replaceable, replace_folder
from plait.pipeline.bundle_files import bundle_files, check_hashes, file_hash, removed_on_failure
from plait.pipeline.full_catalogue_scorer import DenseScorer
from plait.pipeline.stage import Retriever, Scorer

__all__ = ["load", "save"]

_MANIFEST = "model.json"
_FORMAT = "plait model"
_VERSION = 1
"""Raised when a folder of today cannot be read any more."""

_FOLDERS = ("stage", "dataset")

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
        InputError: If the folder holds any other file, or the class is none of `plait.models`.
        StorageError: If the folder cannot be written.
    """
    name = type(fitted.model).__name__
    if type(fitted.model) is not _model_classes().get(name):
        raise InputError(
            f"{name} is none of plait.models",
            hint="save the stage of an own model with fitted.stage.save(folder)",
        )
    folder = Path(path).resolve()
    if folder.exists():
        check_replaceable(folder, _saved_files(folder))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        with removed_on_failure(draft):
            _write(draft, fitted, name)
            replace_folder(folder, draft)
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
        stage = model.load_stage(folder / "stage", weight=manifest["notes"].get("weight"))
        weights = _event_weights(manifest["event_weights"])
        data = read_dataset(folder / "dataset")
        fitted = FittedModel(model, stage, data, weights, **manifest["notes"])
        _try_out(fitted)
        return fitted
    except MissingExtraError:
        raise  # another fit would need it too
    except Exception as problem:
        raise BundleError(
            f"{folder} cannot be loaded as {manifest['model']}: {problem}",
            hint="fit the model again and save it",
        ) from problem


def _write(folder: Path, fitted: FittedModel[Any], name: str) -> None:
    for part in _FOLDERS:
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


def _saved_files(folder: Path) -> list[str] | None:
    """The files of a saved model, as paths in its folder; None if there is no saved model."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(manifest, dict) or manifest.get("format") != _FORMAT:
        return None
    files = manifest.get("files")
    return [*files, _MANIFEST, *_FOLDERS] if isinstance(files, dict) else None


def _event_weights(saved: Mapping[str, Any]) -> dict[str, float]:
    """The weights of event types, checked."""
    for kind, weight in saved.items():
        is_number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not is_number or not math.isfinite(weight):
            raise BundleError(f"the weight of {kind!r} is {weight!r}, expected a finite number")
    return {kind: float(weight) for kind, weight in saved.items()}


def _try_out(fitted: FittedModel[Any]) -> None:
    """Answer two queries, which fails if what was learned does not fit the data."""
    stage, data = fitted.stage, fitted.dataset
    for name in stage.fitted_state:
        value = getattr(stage, name)
        if sparse.issparse(value):
            value.check_format(full_check=True)
    users = data.user_ids
    users = users[:1] + users[1:][-1:]
    if isinstance(stage, DenseScorer):
        queries = queries_for(data, data.users.numbers(users), fitted.event_weights)
        if stage.score_all(queries).shape != (len(users), data.n_items):
            raise BundleError("the model was fitted on other items than those of its data")
    is_on_cpu = fitted.model.settings.get("device", "cpu") in ("cpu", "auto")
    if is_on_cpu and isinstance(stage, Retriever) and isinstance(stage, Scorer):
        fitted.recommend(users, k=1, seen="keep")
