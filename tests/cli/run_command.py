"""Runs `plait` as a shell does: a process, its exit status, its output."""

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["plait"]


def plait(*arguments, stdin=None, text=True, **settings):
    """The finished process of a command; settings stand in its environment."""
    environment = {name: text for name, text in os.environ.items() if "PLAIT" not in name}
    environment |= {"PYTHONPATH": str(Path("src").absolute()), "OMP_NUM_THREADS": "1"}
    environment |= {f"PLAIT_{name.upper()}": str(setting) for name, setting in settings.items()}
    return subprocess.run(
        [sys.executable, "-m", "plait", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=text,
        env=environment,
        timeout=120,
    )
