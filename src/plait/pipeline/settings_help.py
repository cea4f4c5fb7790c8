"""The texts of settings at run time: `help(LinearConfig)` shows those below its fields."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from functools import cache

from plait.pipeline.config_validation import Limit, limit_of

__all__ = ["SettingsDoc", "setting_texts"]


class SettingsDoc:
    """Stands for the docstring of a config: what was written, and every setting with its text.

    The source is read when the docstring is asked for, and not at import.

    Args:
        summary: The docstring as it was written.
    """

    def __init__(self, summary: str) -> None:
        self.summary = summary

    def __get__(self, _instance: object, config_class: type) -> str:
        texts = setting_texts(config_class)
        settings = [
            f"    {entry.name}: {_default(entry)}{_bounds(limit_of(entry))}. {texts[entry.name]}"
            for entry in dataclasses.fields(config_class)
        ]
        if not settings:
            return self.summary
        wrapped = (
            textwrap.fill(line.rstrip(), 88, subsequent_indent=" " * 8, break_long_words=False)
            for line in settings
        )
        return "\n".join([inspect.cleandoc(self.summary), "", "Settings:", *wrapped])


@cache
def setting_texts(config_class: type) -> dict[str, str]:
    """Return the text below each field of a config.

    Args:
        config_class: A dataclass whose source can be read.

    Returns:
        The texts by field, "" where there is none.
    """
    texts = {entry.name: "" for entry in dataclasses.fields(config_class)}
    for base in reversed(config_class.__mro__):
        if dataclasses.is_dataclass(base):
            texts.update(_texts_of(base))
    return texts


def _texts_of(config_class: type) -> dict[str, str]:
    """The texts that stand in the body of one class."""
    try:
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(config_class))).body
    except (OSError, TypeError, SyntaxError):  # no source, as in an interpreter
        return {}
    assert isinstance(definition, ast.ClassDef)
    texts = {}
    for entry, below in zip(definition.body, definition.body[1:], strict=False):
        if not (isinstance(entry, ast.AnnAssign) and isinstance(entry.target, ast.Name)):
            continue
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            texts[entry.target.id] = " ".join(str(below.value.value).split())
    return texts


def _default(entry: dataclasses.Field[object]) -> str:
    if entry.default is not dataclasses.MISSING:
        return repr(entry.default)
    factory = entry.default_factory
    is_required = factory is dataclasses.MISSING
    return "required" if is_required else f"{getattr(factory, '__name__', factory)}()"


def _bounds(limit: Limit) -> str:
    words = {"least": "at least", "above": "above", "most": "at most", "below": "below"}
    bounds = {word: getattr(limit, name) for name, word in words.items()}
    listed = [f"{word} {bound:g}" for word, bound in bounds.items() if bound is not None]
    return f" ({', '.join(listed)})" if listed else ""
