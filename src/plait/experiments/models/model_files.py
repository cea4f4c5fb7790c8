"""Saves fitted models to folders and loads them: JSON, Parquet and safetensors, nothing pickled."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from scipy import sparse

from plait import models
from plait.errors import BundleError, InputError, MissingExtraError
from plait.experiments.data.dataset import Dataset
from plait.experiments.data.dataset_files import read_dataset, write_dataset
from plait.experiments.models.estimator import Estimator
from plait.experiments.models.fit_data import queries_for
from plait.experiments.models.fitted_model import FittedModel
from plait.experiments.models.saved_folders import FUSION, read_manifest, write_folder
from plait.pipeline.bundle_files import check_hashes
from plait.pipeline.full_catalogue_scorer import DenseScorer
from plait.pipeline.stage import Retriever, Scorer

__all__ = ["check_saveable", "load", "read_model", "save", "write_model"]


def save(fitted: FittedModel[Any], path: str | Path) -> None:
    """Write a fitted model to a folder.

    Args:
        fitted: The fitted model.
        path: The folder. It may hold a saved model, which is replaced, or nothing.

    Raises:
        InputError: If the folder holds any other file, the class is none of `plait.models`, or an
            own stage answers otherwise once it is read.
        StorageError: If the folder cannot be written.
    """
    check_saveable(fitted)

    def write(folder: Path) -> dict[str, Any]:
        (folder / "dataset").mkdir()
        write_dataset(folder / "dataset", fitted.dataset)
        return write_model(folder, fitted)

    write_folder(path, write)


def check_saveable(fitted: FittedModel[Any]) -> None:
    """Check that the class of a model is one that `load` knows.

    Args:
        fitted: The fitted model.

    Raises:
        InputError: If it is none of `plait.models`.
    """
    name = type(fitted.model).__name__
    if type(fitted.model) is not _model_classes().get(name):
        raise InputError(
            f"{name} is none of plait.models",
            hint="save the stage of an own model with fitted.stage.save(folder); a home fits a "
            "recipe and keeps it: plait.open(home, recipe=...)",
        )


def write_model(folder: Path, fitted: FittedModel[Any]) -> dict[str, Any]:
    """Write what a model learned, without the training data.

    Args:
        folder: An existing folder.
        fitted: The fitted model.

    Returns:
        What `read_model` needs beside the folder.

    Raises:
        InputError: If an own stage answers otherwise once it is read.
    """
    (folder / "stage").mkdir()
    fitted.stage.save(folder / "stage")
    if not type(fitted.stage).__module__.startswith("plait."):
        _check_saved_stage(fitted, folder / "stage")
    fitted.model.write_data(folder)
    return {
        "model": type(fitted.model).__name__,
        "settings": fitted.model.settings,
        "event_weights": fitted.event_weights,
        "notes": fitted.notes,
    }


def load(path: str | Path) -> FittedModel[Any]:
    """Load a fitted model, or a fusion, that `save` wrote.

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
    manifest = read_manifest(folder)
    check_hashes(folder, manifest["files"])
    try:
        if manifest["model"] == FUSION:
            from plait.experiments.fusion.fusion_files import read_fusion

            return read_fusion(folder, manifest)
        return read_model(folder, manifest, read_dataset(folder / "dataset"))
    except MissingExtraError:
        raise  # another fit would need it too
    except Exception as problem:
        raise BundleError(
            f"{folder} cannot be loaded as {manifest['model']}: {problem}",
            hint="fit the model again and save it",
        ) from problem


def read_model(folder: Path, entries: Mapping[str, Any], dataset: Dataset) -> FittedModel[Any]:
    """Read what `write_model` wrote, and try it.

    Args:
        folder: The folder.
        entries: What `write_model` returned.
        dataset: The training data.

    Returns:
        The fitted model.

    Raises:
        BundleError: If a part is damaged, or does not fit the data.
    """
    model_class = _model_classes().get(entries["model"])
    if model_class is None:
        raise BundleError(f"there is no model {entries['model']!r} in plait.models")
    settings = _settings(model_class, entries["settings"])
    model = model_class(**settings, **model_class.read_data(folder))
    stage = model.load_stage(folder / "stage", weight=entries["notes"].get("weight"))
    weights = _event_weights(entries["event_weights"])
    fitted = FittedModel(model, stage, dataset, weights, **entries["notes"])
    _try_out(fitted)
    return fitted


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


def _event_weights(saved: Mapping[str, Any]) -> dict[str, float]:
    """The weights of event types, checked."""
    for kind, weight in saved.items():
        is_number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not is_number or not math.isfinite(weight):
            raise BundleError(f"the weight of {kind!r} is {weight!r}, expected a finite number")
    return {kind: float(weight) for kind, weight in saved.items()}


def _check_saved_stage(fitted: FittedModel[Any], folder: Path) -> None:
    """Check that an own stage has in its folder what it needs to answer."""
    users = fitted.dataset.user_ids[:2]
    try:
        stage = fitted.model.load_stage(folder, weight=fitted.weight)
        expected, actual = (
            model.recommend(users, k=5, seen="keep")
            for model in (fitted, replace(fitted, stage=stage))
        )
    except Exception as problem:
        raise _incomplete(fitted, str(problem)) from problem
    if not actual.equals(expected):
        raise _incomplete(fitted, "its lists are others")


def _incomplete(fitted: FittedModel[Any], reason: str) -> InputError:
    return InputError(
        f"{fitted.model!r} does not answer as before once it is read: {reason}",
        hint="declare what fit sets in fitted_state of the stage, a mapping of name to type",
        field="fitted_state",
    )


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
