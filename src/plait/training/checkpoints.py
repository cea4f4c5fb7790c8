"""Checkpoints: one safetensors file with arrays and a JSON header, replaced by one rename."""

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
from plait.utils.toml_json import parse_json

__all__ = ["FILE", "Checkpoint", "read_checkpoint", "write_checkpoint"]

FILE = "checkpoint.safetensors"
_KEY = "plait"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a training run.

    Attributes:
        tensors: Tensors by name; a dot separates the group from the name within it.
        counters: Values that JSON can represent.
    """

    tensors: Mapping[str, torch.Tensor]
    counters: Mapping[str, Any]

    def group(self, name: str) -> dict[str, torch.Tensor]:
        """Return the tensors of one group.

        Args:
            name: The group, the part of the key before the first dot.

        Returns:
            Tensors by the part of their key after that dot.
        """
        prefix = f"{name}."
        return {
            key.removeprefix(prefix): tensor
            for key, tensor in self.tensors.items()
            if key.startswith(prefix)
        }


def write_checkpoint(folder: Path, checkpoint: Checkpoint, identity: Mapping[str, Any]) -> None:
    """Write a checkpoint to a draft file, then replace the previous checkpoint atomically.

    Args:
        folder: The folder of the run; created if missing.
        checkpoint: What to write.
        identity: What makes two runs the same; `read_checkpoint` compares it.

    Raises:
        StorageError: The file cannot be written; the previous checkpoint is intact.
    """
    draft = folder / f".draft-{FILE}"
    header = {"identity": dict(identity), "counters": dict(checkpoint.counters)}
    # Cloned: safetensors refuses tensors that share memory, as tied weights do.
    tensors = {key: tensor.detach().cpu().clone() for key, tensor in checkpoint.tensors.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(tensors, draft, metadata={_KEY: json.dumps(header)})
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(folder / FILE)
    except (OSError, SafetensorError) as problem:
        raise StorageError(
            f"a checkpoint cannot be written to {folder}: {problem}",
            hint="free some space and run it again: the previous checkpoint is intact",
        ) from problem


def read_checkpoint(folder: Path, identity: Mapping[str, Any]) -> Checkpoint | None:
    """Read the checkpoint of a run.

    Args:
        folder: The folder of the run.
        identity: The identity of the run that wants to resume.

    Returns:
        The checkpoint, or None if the folder has none.

    Raises:
        ConflictError: The checkpoint belongs to another model, vocabulary or setting; the error
            names the first difference.
        StorageError: The file cannot be read.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            header = parse_json((file.metadata() or {})[_KEY])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        stored_identity, counters = header["identity"], header["counters"]
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as problem:
        raise StorageError(
            f"{path} is not a checkpoint of Plait: {problem}",
            hint="remove the file and train again",
        ) from problem
    _require_same(path, stored_identity, json.loads(json.dumps(dict(identity))))
    return Checkpoint(tensors, counters)


def _require_same(path: Path, stored: Mapping[str, Any], current: Mapping[str, Any]) -> None:
    """Raise ConflictError for the first entry in which the two identities differ."""
    for name in sorted({*stored, *current}):
        if stored.get(name) != current.get(name):
            field, before, now = _innermost(name, stored.get(name), current.get(name))
            raise ConflictError(
                f"{path} belongs to another run: its {field} is {_short(before)},"
                f" expected {_short(now)}",
                hint="remove the file, or train into another folder",
                field=field,
            )


def _innermost(name: str, stored: Any, current: Any) -> tuple[str, Any, Any]:
    """The first nested setting in which two tables differ, such as `training.max_grad_norm`."""
    while isinstance(stored, dict) and isinstance(current, dict):
        key = min(key for key in {*stored, *current} if stored.get(key) != current.get(key))
        name, stored, current = f"{name}.{key}", stored.get(key), current.get(key)
    return name, stored, current


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
