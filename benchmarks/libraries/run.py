"""Runs one model of one peer on the interactions and the protocol that all peers get.

    python benchmarks/peers/run.py --peer recbole --model SASRec --data FOLDER [--minutes 60]
    python benchmarks/peers/run.py --peer plait --model sequence --data FOLDER --seed 1

FOLDER holds `interactions.parquet` (leave-one-out, no refit, seen removed, all items ranked) or
MovieLens' `u1.base` and `u1.test` (ratings). A peer's environment is made below --work at first
use. The result goes to --out, one JSON file a run; `table.py` makes tables of them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from environment import HERE, PACKAGES, InstallError, python_of
from export import ranking_world, rating_world
from score import result_of

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

SLACK = 3
"""So many times the minutes a run may last by the clock on the wall, with reading, a last ranking,
what cannot be cut off, and what else the machine does."""


def world_of(data: Path, work: Path, sample: int) -> Path:
    """The world of a data set, written anew: that takes seconds, and nothing is ever stale."""
    folder = work / "worlds" / (f"{data.name}-{sample}" if sample else data.name)
    if (data / "u1.base").exists():
        return rating_world(data, folder)
    return ranking_world(data, folder, sample)


def command_of(given: argparse.Namespace, python: Path, world: Path, run: Path) -> list[str]:
    """What runs in the peer's environment."""
    told = {"--world": world, "--out": run, "--model": given.model, "--seed": given.seed}
    told |= {"--minutes": given.minutes, "--settings": given.settings}
    if given.peer == "plait":
        told |= {"--data": given.data, "--sample-users": given.sample_users}
        told |= {"--ladder": given.ladder, "--threads": given.threads}
    else:
        told |= {"--trials": given.trials, "--patience": given.patience, "--every": given.every}
    flags = [str(one) for pair in told.items() for one in pair]
    return [str(python), "-W", "ignore", str(HERE / f"run_{given.peer}.py"), *flags]


def outcome(given: argparse.Namespace, world: Path, run: Path) -> dict[str, Any]:
    """The result of a run, or how it failed."""
    failed = {"peer": given.peer, "model": given.model, "seed": given.seed}
    failed["world"] = json.loads((world / "world.json").read_text("utf-8"))
    try:
        python = python_of(given.peer, given.work)
    except InstallError as problem:
        return {**failed, "error": f"cannot be installed: {problem}"}
    environment = {**os.environ, **dict.fromkeys(THREADS, str(given.threads))}
    with (run / "log.txt").open("w", encoding="utf-8") as log:
        try:
            done = subprocess.run(
                command_of(given, python, world, run),
                cwd=run,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=SLACK * (given.minutes + 10) * 60,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return {**failed, "error": f"gave no answer within {given.minutes:g} minutes"}
    if done.returncode:
        last = (run / "log.txt").read_text("utf-8").strip().splitlines()[-12:]
        return {**failed, "error": "\n".join(last) or f"ended with {done.returncode}"}
    if given.peer == "plait":
        return dict(json.loads((run / "result.json").read_text("utf-8")))
    return result_of(given.peer, run, world)


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer", choices=["plait", *sorted(PACKAGES)], required=True)
    parser.add_argument("--model", required=True, help="the peer's name of it; a strand of ours")
    parser.add_argument("--data", type=Path, required=True, help="the folder of a data set")
    parser.add_argument("--work", type=Path, default=Path(".cache/peers"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/out/peers"))
    parser.add_argument("--minutes", type=float, default=60, help="when a training is cut off")
    parser.add_argument("--sample-users", type=int, default=0, help="at most so many; 0: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trials", type=int, default=1, help="settings to try, the defaults first")
    parser.add_argument("--patience", type=int, default=10, help="looks without a better one")
    parser.add_argument("--every", type=int, default=1, help="epochs from one look to the next")
    parser.add_argument("--settings", default="{}", help="JSON, over the published settings")
    parser.add_argument("--ladder", default="", help="ours: epochs of fits for the curve, as 2,4,8")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--keep", action="store_true", help="leave a result that is there")
    parser.add_argument("--label", default="", help="in the name of the result and in the table")
    return parser.parse_args(words)


def main() -> None:
    given = arguments()
    for name in ("data", "work", "out"):
        setattr(given, name, getattr(given, name).resolve())
    world = world_of(given.data, given.work, given.sample_users)
    model = Path(given.model).stem + (f"-{given.label}" if given.label else "")
    name = f"{world.name}-{given.peer}-{model}-{given.seed}"
    path = given.out / f"{name}.json"
    if given.keep and path.exists() and "error" not in json.loads(path.read_text("utf-8")):
        print(f"{path} is there")
        return
    run = given.work / "runs" / name
    run.mkdir(parents=True, exist_ok=True)
    for old in run.glob("*.npy"):
        old.unlink()
    found = {**outcome(given, world, run), "label": given.label}
    given.out.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1), "utf-8")
    if "error" in found:
        sys.exit(f"{path}\n{found['error']}")
    shown = {metric: round(one["value"], 4) for metric, one in found["metrics"].items()}
    print(f"{path}\n{shown}")


if __name__ == "__main__":
    main()
