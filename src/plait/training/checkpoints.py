"""Checkpoints: one safetensors file, arrays and a JSON header, put in place by one rename."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from plait.errors import ConflictError, StorageError

__all__ = ["FILE", "Checkpoint", "read_checkpoint", "write_checkpoint"]

FILE = "checkpoint.safetensors"
_KEY = "plait"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a run stands: `tensors` by name, and `notes` that JSON can carry."""

    tensors: Mapping[str, torch.Tensor]
    notes: Mapping[str, Any]

    def part(self, name: str) -> dict[str, torch.Tensor]:
        """The tensors below `name`, under what follows the dot."""
        start = f"{name}."
        found = {key: one for key, one in self.tensors.items() if key.startswith(start)}
        return {key.removeprefix(start): one for key, one in found.items()}


def write_checkpoint(folder: Path, checkpoint: Checkpoint, identity: Mapping[str, Any]) -> None:
    """Write beside the old checkpoint and replace it; StorageError leaves the old one in place."""
    draft = folder / f".draft-{FILE}"
    header = {"identity": dict(identity), "notes": dict(checkpoint.notes)}
    # Cloned: safetensors refuses tensors that share memory, as tied weights do.
    tensors = {name: one.detach().cpu().clone() for name, one in checkpoint.tensors.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(tensors, draft, metadata={_KEY: json.dumps(header)})
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.replace(folder / FILE)
    except (OSError, SafetensorError) as problem:
        raise StorageError(
            f"a checkpoint cannot be written to {folder}: {problem}",
            hint="free some space and run it again: the checkpoint before it is intact",
        ) from problem


def read_checkpoint(folder: Path, identity: Mapping[str, Any]) -> Checkpoint | None:
    """The checkpoint of the run `identity` in `folder`, None if there is none.

    Raises ConflictError for that of another model, vocabulary or setting, naming the first
    difference, and StorageError for a file that cannot be read.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as opened:
            header = json.loads((opened.metadata() or {})[_KEY])
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        theirs, notes = header["identity"], header["notes"]
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as problem:
        raise StorageError(
            f"{path} is no checkpoint of Plait: {problem}", hint="remove it and train anew"
        ) from problem
    _compare(path, theirs, json.loads(json.dumps(dict(identity))))
    return Checkpoint(tensors, notes)


def _compare(path: Path, theirs: Mapping[str, Any], mine: Mapping[str, Any]) -> None:
    for name in sorted({*theirs, *mine}):
        if theirs.get(name) != mine.get(name):
            inner, there, here = _innermost(name, theirs.get(name), mine.get(name))
            raise ConflictError(
                f"{path} belongs to another run: its {inner} is {_short(there)},"
                f" here it is {_short(here)}",
                hint="remove it, or train into another folder",
                field=inner,
            )


def _innermost(name: str, there: Any, here: Any) -> tuple[str, Any, Any]:
    """Where two tables differ, by the name of the first such setting, as `training.clip`."""
    while isinstance(there, dict) and isinstance(here, dict):
        inner = min(one for one in {*there, *here} if there.get(one) != here.get(one))
        name, there, here = f"{name}.{inner}", there.get(inner), here.get(inner)
    return name, there, here


def _short(value: Any) -> str:
    told = json.dumps(value)
    return told if len(told) <= 80 else f"{told[:77]}..."
