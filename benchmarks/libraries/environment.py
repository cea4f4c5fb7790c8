"""A virtual environment for each peer; what pip said where that fails."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).parent

TORCH = "torch==2.13.0"

PACKAGES: Mapping[str, Sequence[str]] = {
    "cornac": ("cornac==3.0.1", TORCH),
    "implicit": ("implicit==0.7.3",),
    # Its code needs names that numpy 2, pandas 3 and scipy 1.12 removed (np.float_,
    # dok_matrix._update); what it asks pip for is satisfied with all of them.
    "recbole": ("recbole==1.2.1", TORCH, "numpy<2", "pandas<3", "scipy<1.12"),
    "rectools": ("rectools[torch]==0.19.0", TORCH),
    "surprise": ("scikit-surprise==1.1.5",),
}
"""What pip is asked for, in one go, so that it finds versions that fit each other."""


class InstallError(Exception):
    """A peer could not be installed; the message is what pip said last."""


def python_of(peer: str, work: Path) -> Path:
    """The interpreter of a peer's environment, which is made where it is missing.

    What was installed, and how long that took, is written to `installed.json` beside it. Raises
    InstallError with what pip said.
    """
    if peer == "plait":
        return Path(sys.executable)
    place = work / peer
    python = place / "venv" / "bin" / "python"
    note = place / "installed.json"
    wanted = list(PACKAGES[peer])
    if note.exists() and json.loads(note.read_text("utf-8"))["asked"] == wanted:
        return python
    place.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    _run([sys.executable, "-m", "venv", str(place / "venv")])
    _run([str(python), "-m", "pip", "install", "--quiet", *wanted])
    frozen = _run([str(python), "-m", "pip", "freeze"]).splitlines()
    size = sum(one.stat().st_size for one in (place / "venv").rglob("*") if one.is_file())
    found = {
        "asked": wanted,
        "seconds": round(time.perf_counter() - began, 1),
        "size_mb": round(size / 1e6),
        "installed": frozen,
    }
    note.write_text(json.dumps(found, indent=1), "utf-8")
    return python


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InstallError(f"{' '.join(command)}\n{done.stderr.strip()[-4000:]}")
    return done.stdout
