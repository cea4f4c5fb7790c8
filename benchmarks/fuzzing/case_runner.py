"""Runs mutated cases in processes of their own: a crash or a hang costs one and names its case."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import resource
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from fuzzing.targets import Target, outcome

__all__ = ["run_cases"]

HANG_SECONDS = 60
MEMORY_BYTES = 6 << 30


def run_cases(
    name: str, make: Callable[[Path], Target], seed: int, first: int, count: int, until: float
) -> tuple[int, Counter[str], dict[str, str]]:
    """Run the cases `first` to `first + count` of a target.

    Args:
        name: Of the target.
        make: Makes it, in a folder.
        seed: With name and number it decides a case.
        first: The number of the first case.
        count: How many.
        until: The moment (of `time.monotonic`) after which none is begun.

    Returns:
        The number of the next case, how often each outcome came, and the seed of the first case of
        each fault.
    """
    counts: Counter[str] = Counter()
    faults: dict[str, str] = {}
    number, last = first, first + count
    with tempfile.TemporaryDirectory(prefix="plait-fuzz-") as scratch:
        while number < last and time.monotonic() < until:
            progress = Path(scratch) / "progress"
            progress.write_text("")
            folder = Path(tempfile.mkdtemp(dir=scratch))
            os.environ["POLARS_MAX_THREADS"] = "1"  # a case is small
            context = multiprocessing.get_context("spawn")
            child = context.Process(
                target=_work, args=(make, folder, progress, f"{seed}-{name}", number, last, until)
            )
            child.start()
            status = _awaited(child, progress)
            lines = [line for line in progress.read_text().splitlines() if "\t" in line]
            for case, line in enumerate(lines, start=number):
                result = line.split("\t", 1)[1]
                counts[result if result in ("accepted", "refused") else "fault"] += 1
                if result not in ("accepted", "refused"):
                    faults.setdefault(result, f"{seed}-{name}-{case}")
            number += len(lines)
            if status != 0:
                kind = "hang" if status == -signal.SIGKILL else f"crash with status {status}"
                counts[kind.partition(" ")[0]] += 1
                faults.setdefault(kind, f"{seed}-{name}-{number}")
                number += 1
    return number, counts, faults


def _awaited(child: multiprocessing.process.BaseProcess, progress: Path) -> int:
    """The exit status; a child that makes no progress for a minute is killed."""
    size, since = -1, time.monotonic()
    while child.is_alive():
        child.join(0.2)
        if (now := progress.stat().st_size) != size:
            size, since = now, time.monotonic()
        elif time.monotonic() - since > HANG_SECONDS:
            child.kill()
            child.join()
    return child.exitcode or 0


def _work(
    make: Callable[[Path], Target],
    folder: Path,
    progress: Path,
    prefix: str,
    first: int,
    last: int,
    until: float,
) -> None:
    """A process: one line a case in the file, as soon as it is over."""
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    with progress.open("a") as file:
        target = make(folder)
        for number in range(first, last):
            if time.monotonic() > until:
                break
            result = outcome(target, f"{prefix}-{number}")
            file.write(f"{number}\t{' '.join(result.split())}\n")
            file.flush()
    os._exit(0)
