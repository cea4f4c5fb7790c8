"""Runs one model of one library on the same interactions and protocol as all others.

    python benchmarks/libraries/run.py --library recbole --model SASRec --data FOLDER [--minutes 60]
    python benchmarks/libraries/run.py --library plait --model sequence --data FOLDER --seed 1

FOLDER holds `interactions.parquet` (leave-one-out, no refit, seen removed, all items ranked) or
MovieLens' `u1.base` and `u1.test` (ratings). A library's environment is made below --work at first
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


def command_of(options: argparse.Namespace, python: Path, world: Path, run: Path) -> list[str]:
    """What runs in the library's environment."""
    flags_by_name = {
        "--world": world,
        "--out": run,
        "--model": options.model,
        "--seed": options.seed,
    }
    flags_by_name |= {"--minutes": options.minutes, "--settings": options.settings}
    if options.library == "plait":
        flags_by_name |= {"--data": options.data, "--sample-users": options.sample_users}
        flags_by_name |= {"--ladder": options.ladder, "--threads": options.threads}
    else:
        flags_by_name |= {
            "--trials": options.trials,
            "--patience": options.patience,
            "--every": options.every,
        }
    words = [str(value) for pair in flags_by_name.items() for value in pair]
    return [str(python), "-W", "ignore", str(HERE / f"run_{options.library}.py"), *words]


def outcome(options: argparse.Namespace, world: Path, run: Path) -> dict[str, Any]:
    """The result of a run, or how it failed."""
    failed = {"library": options.library, "model": options.model, "seed": options.seed}
    failed["world"] = json.loads((world / "world.json").read_text("utf-8"))
    try:
        python = python_of(options.library, options.work)
    except InstallError as problem:
        return {**failed, "error": f"cannot be installed: {problem}"}
    environment = {**os.environ, **dict.fromkeys(THREADS, str(options.threads))}
    with (run / "log.txt").open("w", encoding="utf-8") as log:
        try:
            completed = subprocess.run(
                command_of(options, python, world, run),
                cwd=run,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=SLACK * (options.minutes + 10) * 60,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return {**failed, "error": f"did not end within {options.minutes:g} minutes"}
    if completed.returncode:
        last = (run / "log.txt").read_text("utf-8").strip().splitlines()[-12:]
        return {**failed, "error": "\n".join(last) or f"ended with {completed.returncode}"}
    if options.library == "plait":
        return dict(json.loads((run / "result.json").read_text("utf-8")))
    return result_of(options.library, run, world)


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--library", choices=["plait", *sorted(PACKAGES)], required=True)
    parser.add_argument("--model", required=True, help="the library's name of it; a model of ours")
    parser.add_argument("--data", type=Path, required=True, help="the folder of a data set")
    parser.add_argument("--work", type=Path, default=Path(".cache/libraries"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/out/libraries"))
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
    options = arguments()
    for name in ("data", "work", "out"):
        setattr(options, name, getattr(options, name).resolve())
    world = world_of(options.data, options.work, options.sample_users)
    model = Path(options.model).stem + (f"-{options.label}" if options.label else "")
    name = f"{world.name}-{options.library}-{model}-{options.seed}"
    path = options.out / f"{name}.json"
    if options.keep and path.exists() and "error" not in json.loads(path.read_text("utf-8")):
        print(f"{path} is there")
        return
    run = options.work / "runs" / name
    run.mkdir(parents=True, exist_ok=True)
    for old in run.glob("*.npy"):
        old.unlink()
    result = {**outcome(options, world, run), "label": options.label}
    options.out.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1), "utf-8")
    if "error" in result:
        sys.exit(f"{path}\n{result['error']}")
    rounded = {metric: round(value["value"], 4) for metric, value in result["metrics"].items()}
    print(f"{path}\n{rounded}")


if __name__ == "__main__":
    main()
