"""Checks that an optional dependency is installed."""

from __future__ import annotations

from importlib.util import find_spec

from plait.errors import MissingExtraError

__all__ = ["is_installed", "require_extra"]


def is_installed(module: str) -> bool:
    """Tell whether a module can be imported.

    Args:
        module: The name of the module.
    """
    return find_spec(module) is not None


def require_extra(feature: str, *modules: str, extra: str = "deep") -> None:
    """Check that the modules of an optional dependency can be imported.

    Args:
        feature: What needs them, for the message.
        modules: Names of modules; by default torch and accelerate.
        extra: The extra of Plait that installs them.

    Raises:
        MissingExtraError: A module is not installed.
    """
    for module in modules or ("torch", "accelerate"):
        if find_spec(module) is None:
            raise MissingExtraError(feature, extra)
