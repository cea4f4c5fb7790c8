"""The road from an open home to a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from plait.core.recipe import Recipe, load_recipe
from plait.data.dataset import snapshot
from plait.data.log import Log
from plait.errors import InputError
from plait.evaluate.protocol import Protocol
from plait.evaluate.report import Report
from plait.evaluate.run import evaluate as measure
from plait.shop.fitting import Progress

__all__ = ["evaluate"]


def evaluate(
    log: Log,
    protocol: str | Protocol,
    recipes: Iterable[str | Path | Recipe],
    options: Mapping[str, Any],
    history: Path,
    progress: Progress,
) -> Report:
    """Take a snapshot and measure; `history` is the file that remembers every look at a test."""
    settled = _protocol(protocol, options)
    named = [recipes] if isinstance(recipes, str | Path | Recipe) else list(recipes)
    found = [one if isinstance(one, Recipe) else load_recipe(one) for one in named]
    dataset = snapshot(log, progress=lambda done, total: progress("read", done, total))
    return measure(dataset, found, settled, progress=progress, history=history)


def _protocol(protocol: str | Protocol, options: Mapping[str, Any]) -> Protocol:
    known = [one.name for one in fields(Protocol) if one.name != "name"]
    for name in options:
        if name not in known:
            raise InputError(
                f"there is no option {name!r}", hint=f"there are {', '.join(known)}", field=name
            )
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in options.items()
    }
    if isinstance(protocol, Protocol):
        if given:
            raise InputError("options come with the name of a protocol", field=next(iter(given)))
        return protocol
    return Protocol(name=protocol, **given)  # type: ignore[arg-type]
