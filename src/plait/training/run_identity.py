"""The identity of a training run, hashes of data and settings, which checkpoints carry."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["fingerprint", "identity_of"]


def fingerprint(*arrays: npt.NDArray[Any]) -> str:
    """Hash arrays with their types and shapes.

    Args:
        arrays: The arrays, in an order that counts.

    Returns:
        16 hexadecimal digits of BLAKE2b; they depend on the byte order of the platform.
    """
    digest = hashlib.blake2b(digest_size=8)
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def identity_of(model: str, config: Any, **data: Any) -> dict[str, Any]:
    """Return what identifies a training run of a stage, beside seed, training and shapes.

    Args:
        model: The name of the model.
        config: The config of the stage, a dataclass; its `training` is left out.
        data: Fingerprints of the training data by name, and what else differs between runs.
    """
    settings = {name: value for name, value in asdict(config).items() if name != "training"}
    return {"model": model, "settings": settings, **data}
