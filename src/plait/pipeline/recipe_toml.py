"""A recipe as TOML that loads again as the same recipe."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from plait.pipeline.recipe import Recipe

__all__ = ["recipe_toml"]

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def recipe_toml(recipe: Recipe, comments: Sequence[str] = ()) -> str:
    """TOML text, `comments` above it. Settings that are None are left out: it is their default."""
    lines = [f"# {one}" for one in comments]
    lines.append(f"name = {_value(recipe.name)}")
    lines.append(f"description = {_value(recipe.description)}")
    lines.append(f"candidates_per_model = {recipe.candidates_per_model}")
    lines.append(f"target_events = {_value(list(recipe.target_events))}")
    lines += _table("event_weights", recipe.event_weights)
    lines += _table("triples", {"exclude_relations": list(recipe.excluded_relations)})
    for part, stages in (("models", recipe.models), ("steps", recipe.steps)):
        for name, settings in stages.items():
            lines += _table(f"{part}.{_key(name)}", settings)
    return "\n".join(lines) + "\n"


def _table(name: str, settings: Mapping[str, Any]) -> list[str]:
    told = [f"{_key(key)} = {_value(one)}" for key, one in settings.items() if one is not None]
    return ["", f"[{name}]", *told]


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _value(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        parts = [f"{_key(str(key))} = {_value(one)}" for key, one in value.items()]
        return "{" + ", ".join(parts) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    if isinstance(value, str):  # a JSON string is a TOML string, but for one character
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)
