"""What an operator should change about a home although everything works."""

from __future__ import annotations

import shlex
from pathlib import Path

from plait.utils.private_files import exposed_mode

__all__ = ["home_warnings"]


def home_warnings(home: Path) -> list[str]:
    """Look for what puts the data of a home at risk.

    Args:
        home: The folder of the home.

    Returns:
        Sentences, each with the next step; none when all is well.
    """
    mode = exposed_mode(home)
    if not mode:
        return []
    command = f"chmod -R go= {shlex.quote(str(home))}"
    return [f"others may enter the home: its mode is {mode}, expected 0700 ({command})"]
