"""Writes fusions to folders and reads them: the data once, every model, and the weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from plait.errors import BundleError
from plait.experiments.data.dataset_files import read_dataset, write_dataset
from plait.experiments.fusion.fusion import Fusion
from plait.experiments.fusion.fusion_inputs import check_models
from plait.experiments.fusion.fusion_pipeline import fuse_step, fusion_pipeline
from plait.experiments.models.model_files import check_saveable, read_model, write_model
from plait.experiments.models.saved_folders import FUSION, write_folder

__all__ = ["read_fusion", "save_fusion"]


def save_fusion(fusion: Fusion, path: str | Path) -> None:
    """Write a fusion to a folder.

    Args:
        fusion: The fusion.
        path: The folder. It may hold a saved model, which is replaced, or nothing.

    Raises:
        InputError: If the folder holds any other file, or a class is none of `plait.models`.
        StorageError: If the folder cannot be written.
    """
    for model in fusion.fitted.values():
        check_saveable(model)

    def write(folder: Path) -> dict[str, Any]:
        write_dataset(_made(folder / "dataset"), fusion.dataset)
        if fusion.validation is not None:
            write_dataset(_made(folder / "validation"), fusion.validation)
        fusion.step.save(_made(folder / "fuse"))
        models = [
            {"name": name, **write_model(_made(_model_folder(folder, place)), model)}
            for place, (name, model) in enumerate(fusion.fitted.items())
        ]
        return {
            "model": FUSION,
            "settings": dict(fusion.settings),
            "event_weights": fusion.event_weights,
            "notes": {
                "seen": fusion.seen,
                "candidates_per_model": fusion.model.candidates_per_model,
                "has_validation": fusion.validation is not None,
                "models": models,
            },
        }

    write_folder(path, write)


def read_fusion(folder: Path, manifest: Mapping[str, Any]) -> Fusion:
    """Read what `save_fusion` wrote.

    Args:
        folder: The folder, its files checked.
        manifest: Its manifest.

    Returns:
        The fusion.

    Raises:
        BundleError: If a part is damaged, or does not fit the data.
    """
    notes, settings = manifest["notes"], manifest["settings"]
    dataset = read_dataset(folder / "dataset")
    fitted = {
        entries["name"]: read_model(_model_folder(folder, place), entries, dataset)
        for place, entries in enumerate(notes["models"])
    }
    check_models(fitted)
    validation = read_dataset(folder / "validation") if notes["has_validation"] else None
    pipeline = fusion_pipeline(fitted, settings, notes["seen"], notes["candidates_per_model"])
    step = fuse_step(pipeline)
    loaded = type(step).load(step.config, step.name, folder / "fuse")
    unknown = set(loaded.learned.models if loaded.learned else ()) - set(pipeline.recipe.models)
    if unknown:
        raise BundleError(f"the weights name {sorted(unknown)}, which is no model of the fusion")
    fusion = Fusion.of(
        replace(pipeline, steps=(loaded,)),
        fitted,
        validation=validation,
        seen=notes["seen"],
        settings=settings,
    )
    fusion.recommend(dataset.user_ids[:2], k=1)  # fails if the weights do not fit the models
    return fusion


def _model_folder(folder: Path, place: int) -> Path:
    return folder / "models" / str(place)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
