"""A virtual environment for each library; what pip said where that fails."""

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
    "lenskit": ("lenskit==2025.8.1",),  # its metrics; newer versions need Python 3.12
    # Its code needs names that numpy 2, pandas 3 and scipy 1.12 removed (np.float_,
    # dok_matrix._update); what it asks pip for is satisfied with all of them.
    "recbole": ("recbole==1.2.1", TORCH, "numpy<2", "pandas<3", "scipy<1.12"),
    "rectools": ("rectools[torch]==0.19.0", TORCH),
    "surprise": ("scikit-surprise==1.1.5", "pandas"),
}
"""What pip is asked for, in one go, so that it finds versions that fit each other."""


class InstallError(Exception):
    """A library could not be installed; the message is what pip said last."""


def python_of(library: str, work: Path) -> Path:
    """The interpreter of a library's environment, which is made where it is missing.

    What was installed, and how long that took, is written to `installed.json` beside it. Raises
    InstallError with what pip said.
    """
    if library == "plait":
        return Path(sys.executable)
    folder = work / library
    python = folder / "venv" / "bin" / "python"
    note = folder / "installed.json"
    requirements = list(PACKAGES[library])
    if note.exists() and json.loads(note.read_text("utf-8"))["asked"] == requirements:
        return python
    folder.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    _run([sys.executable, "-m", "venv", str(folder / "venv")])
    _run([str(python), "-m", "pip", "install", "--quiet", *requirements])
    frozen = _run([str(python), "-m", "pip", "freeze"]).splitlines()
    size = sum(path.stat().st_size for path in (folder / "venv").rglob("*") if path.is_file())
    record = {
        "asked": requirements,
        "seconds": round(time.perf_counter() - began, 1),
        "size_mb": round(size / 1e6),
        "installed": frozen,
    }
    note.write_text(json.dumps(record, indent=1), "utf-8")
    return python


def _run(command: Sequence[str]) -> str:
    completed = subprocess.run(command, capture_output=True, text=True, check=False)
    if completed.returncode:
        raise InstallError(f"{' '.join(command)}\n{completed.stderr.strip()[-4000:]}")
    return completed.stdout
