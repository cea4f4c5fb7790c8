"""How long `import plait` takes, and how large a core install is.

    python benchmarks/start.py [--install]

The import is timed in fresh processes, best of ten, less the start of an empty interpreter. With
`--install` a virtual environment is made and the core installed into it from this checkout, as
`make demo` does (modules compiled when first imported) and as plain pip does.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from serve import machine

ROOT = Path(__file__).resolve().parent.parent


def best(code: str, rounds: int = 10) -> float:
    """Seconds of the fastest of some fresh interpreters."""
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def megabytes(folder: Path) -> float:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def installed(*options: str) -> float:
    """Megabytes of a fresh environment with the core in it, pip included."""
    with tempfile.TemporaryDirectory() as place:
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        pip = [f"{place}/bin/python", "-m", "pip", "install", "-q", *options]
        pinned = ["-c", str(ROOT / "constraints.txt"), str(ROOT)]
        subprocess.run([*pip, *pinned], check=True, stderr=subprocess.DEVNULL)
        return megabytes(Path(place))


def downloaded() -> float:
    """Megabytes of the wheels that the core needs."""
    with tempfile.TemporaryDirectory() as place:
        pip = [sys.executable, "-m", "pip", "download", "-q", "-d", place]
        pinned = ["-c", str(ROOT / "constraints.txt"), str(ROOT)]
        subprocess.run([*pip, *pinned], check=True, stderr=subprocess.DEVNULL)
        return megabytes(Path(place))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--install", action="store_true")
    options = parser.parse_args()
    print(machine())
    empty, whole = best("pass"), best("import plait")
    print(f"import plait: {whole - empty:.3f} s (empty interpreter {empty:.3f} s)")
    opened = best("import plait; plait.open")
    print(f"import plait; plait.open: {opened - empty:.3f} s")
    if options.install:
        print(f"installed as `make demo` does: {installed('--no-compile'):.0f} MB")
        print(f"installed by plain pip: {installed():.0f} MB")
        print(f"downloaded: {downloaded():.0f} MB")


if __name__ == "__main__":
    main()
