"""Reuses fitted models among the recipes of one evaluation, by their settings, data and seed.

A fit is determined by the settings of the stage, the data set, the seed and the validation set, so
a model that two recipes have in common need not be fitted twice.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from plait.data.types import Dataset
from plait.pipeline.recipe import Recipe, build_stage
from plait.pipeline.stage import Stage

__all__ = ["FitCache", "content_hash", "stage_key"]

_NOT_CONTENT = frozenset({"cache", "live", "index", "_encoded"})
"""Fields that are derived from others, or that a fit does not read."""


class FitCache:
    """Fitted models by what determines them; the stages must be those that recipes build.

    Args:
        stages: Keys of `stage_key`: only models that begin as one of these are kept; None: all.

    Attributes:
        fitted: How many models were fitted.
        reused: How many fits were left out.
        reused_seconds: The seconds that those took when they were made.
    """

    def __init__(self, stages: Iterable[str] | None = None) -> None:
        self._stages = None if stages is None else frozenset(stages)
        self._origins: dict[int, tuple[Stage, str]] = {}
        self._results: dict[str, tuple[Stage, float]] = {}
        self._hashes: list[tuple[object, str]] = []
        self.fitted = self.reused = 0
        self.reused_seconds = 0.0

    @staticmethod
    def shared_by(recipes: Sequence[Recipe]) -> FitCache:
        """Return a cache that keeps the models of more than one recipe.

        Args:
            recipes: The recipes.
        """
        counts = Counter(
            key
            for recipe in recipes
            for key in {
                stage_key(build_stage(name, settings)) for name, settings in recipe.models.items()
            }
        )
        return FitCache(key for key, count in counts.items() if count > 1)

    def register(self, stages: Iterable[Stage]) -> None:
        """Accept stages as a recipe builds them: they have learned nothing.

        Args:
            stages: The models of a pipeline that is not fitted.
        """
        for stage in stages:
            key = stage_key(stage)
            if self._stages is None or key in self._stages:
                self._origins[id(stage)] = (stage, key)

    def result(
        self, stage: Stage, inputs: Mapping[str, Any], compute: Callable[[], tuple[Stage, float]]
    ) -> tuple[Stage, float]:
        """Return what a step of a fit makes of a stage, computed at most once.

        Args:
            stage: The stage. Stages that were never registered are always computed.
            inputs: Everything else that determines the result.
            compute: Makes the result and tells the seconds that it took.

        Returns:
            The resulting stage, and the seconds that it took when it was made.
        """
        known, origin = self._origins.get(id(stage), (None, ""))
        if known is not stage:
            return compute()
        digest = {name: self._hash(value) for name, value in inputs.items()}
        key = content_hash([origin, digest])
        if key in self._results:
            self.reused += 1
            self.reused_seconds += self._results[key][1]
        else:
            self._results[key] = compute()
            self._origins[id(self._results[key][0])] = (self._results[key][0], key)
            self.fitted += 1
        return self._results[key]

    def _hash(self, value: object) -> str:
        """The hash of an input; those of the latest data sets are remembered."""
        if not isinstance(value, Dataset):
            return content_hash(value)
        for other, digest in self._hashes:
            if other is value:
                return digest
        self._hashes = [*self._hashes[-3:], (value, content_hash(value))]
        return self._hashes[-1][1]


def stage_key(stage: Stage) -> str:
    """Describe a stage that has learned nothing.

    Args:
        stage: The stage.

    Returns:
        Its class, name and settings, equal for equal stages.
    """
    kind = type(stage)
    return f"{kind.__module__}:{kind.__qualname__} {stage.name} {stage.config!r}"


def content_hash(value: object) -> str:
    """Hash a value by its content: arrays, dataclasses, mappings, sequences, plain values.

    Args:
        value: The value.

    Returns:
        32 hexadecimal digits, equal for equal values.
    """
    digest = hashlib.blake2b(digest_size=16)
    _update(digest, value)
    return digest.hexdigest()


def _update(digest: Any, value: object) -> None:
    """Add a value to a digest, with its type and size, so that no two values run together."""
    digest.update(f"\n{type(value).__name__}:".encode())
    if isinstance(value, np.ndarray):
        digest.update(f"{value.dtype}{value.shape}".encode())
        if value.dtype.hasobject:
            digest.update(repr(value.tolist()).encode("utf-8", "surrogatepass"))
        else:
            digest.update(np.ascontiguousarray(value).tobytes())
    elif is_dataclass(value) and not isinstance(value, type):
        for part in fields(value):
            if part.name not in _NOT_CONTENT:
                digest.update(part.name.encode())
                _update(digest, getattr(value, part.name))
    elif isinstance(value, Mapping):
        for key in sorted(value, key=repr):
            digest.update(repr(key).encode("utf-8", "surrogatepass"))
            _update(digest, value[key])
    else:
        digest.update(repr(value).encode("utf-8", "surrogatepass"))
