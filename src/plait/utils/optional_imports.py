"""The door to torch: what needs it says so in one line where it is missing."""

from __future__ import annotations

from importlib.util import find_spec

from plait.errors import MissingExtraError

__all__ = ["require_extra"]


def require_extra(what: str, *modules: str, extra: str = "deep") -> None:
    """Raise MissingExtraError unless torch and accelerate (or `modules`) can be imported."""
    for module in modules or ("torch", "accelerate"):
        if find_spec(module) is None:
            raise MissingExtraError(what, extra)
