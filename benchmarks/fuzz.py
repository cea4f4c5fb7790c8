"""Feed server and library with hostile input: no 5xx, crash, traceback, hang or wrong answer.

    python benchmarks/fuzz.py [--http 20000] [--files 100000] [--minutes 60] [--seed 1] [--json]

--http requests are made by schemathesis from the OpenAPI description of a running server (extra
`fuzz`), half of them as described and half not; every answer is compared with the description.
--files inputs are mutated files (CSV, TSV, JSON, Parquet, gzip, Zstandard), filters, recipes,
mappings, settings, bundles, saved models and boosted trees, read in processes of their own; each
has to be accepted or refused with an error of Plait. The seed of a fault repeats it:

    python benchmarks/fuzz.py --case 1-files-4711

With --out a run goes on where the last one ended. The exit status is 1 after a fault.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from faults.server_process import Server
from faults.shops import SqliteShops
from fuzzing.case_runner import run_cases
from fuzzing.targets import TARGETS, outcome

BATCH = 10_000


def fuzz_files(
    count: int, seed: int, until: float, done: dict[str, Any], names: list[str]
) -> dict[str, Any]:
    """Run the cases of all targets; `done` is what earlier runs counted, and is continued."""
    for name in names:
        make, share = TARGETS[name]
        row = done.setdefault(name, {"next": 0, "counts": {}, "faults": {}, "seconds": 0.0})
        total = max(1, round(count * share))
        while row["next"] < total and time.monotonic() < until:
            start, size = time.monotonic(), min(BATCH, total - row["next"])
            row["next"], counts, faults = run_cases(name, make, seed, row["next"], size, until)
            row["counts"] = dict(Counter(row["counts"]) + counts)
            row["faults"] = faults | row["faults"]
            row["seconds"] = round(row["seconds"] + time.monotonic() - start, 1)
        print(json.dumps({name: row}), file=sys.stderr)
    return done


def fuzz_server(count: int, seed: int, until: float, done: dict[str, Any]) -> dict[str, Any]:
    """Fuzz a server of a small shop over HTTP; `done` is what earlier runs found."""
    from fuzzing.http_cases import HttpOutcome, fuzz_http

    start = time.monotonic()
    outcome = HttpOutcome.of(done)
    with tempfile.TemporaryDirectory(prefix="plait-fuzz-") as scratch:
        shop = SqliteShops(Path(scratch)).new()
        with Server(shop) as server:
            fuzz_http(server, count, seed, until, outcome)
            server.stop()
    seconds = done.get("seconds", 0.0) + time.monotonic() - start
    return {**outcome.to_dict(), "seconds": round(seconds, 1)}


def repeat(case: str) -> str:
    """The outcome of one case again."""
    name = case.split("-")[1]
    with tempfile.TemporaryDirectory(prefix="plait-fuzz-") as scratch:
        return outcome(TARGETS[name][0](Path(scratch)), case)


def report(results: dict[str, Any]) -> None:
    """Print tables in Markdown."""
    if http := results["http"]:
        print(f"{http['cases']:,} requests to {len(http['routes'])} routes, {http['statuses']}")
        print(f"failures: {http['failures'] or 'none'}\n")
        for place, example in http["examples"].items():
            print(f"--- {place}\n{example}\n")
    print("| input | cases | accepted | refused | faults | crashes | hangs |")
    print("|---|---|---|---|---|---|---|")
    for name, row in results["files"].items():
        columns = ("accepted", "refused", "fault", "crash", "hang")
        cells = (row["counts"].get(column, 0) for column in columns)
        print(f"| {name} | {row['next']:,} | {' | '.join(f'{cell:,}' for cell in cells)} |")
    for name, row in results["files"].items():
        for fault, case in row["faults"].items():
            print(f"{name}: {fault} (--case {case})")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--http", type=int, default=20_000, help="how many requests; 0: none")
    parser.add_argument("--files", type=int, default=100_000, help="how many inputs; 0: none")
    parser.add_argument("--target", choices=list(TARGETS), help="only this kind of input")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", help="repeat this case and say what comes out")
    parser.add_argument("--out", type=Path, help="a file of results that is continued")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.case:
        print(repeat(options.case))
        return 0
    until = time.monotonic() + 60 * options.minutes
    results: dict[str, Any] = {"http": {}, "files": {}}
    if options.out and options.out.exists():
        results = json.loads(options.out.read_text())
    if options.http > results["http"].get("cases", 0):
        results["http"] = fuzz_server(options.http, options.seed, until, results["http"])
    names = [options.target] if options.target else list(TARGETS)
    if options.files:
        fuzz_files(options.files, options.seed, until, results["files"], names)
    if options.out:
        options.out.write_text(json.dumps(results, indent=1) + "\n")
    if options.json:
        print(json.dumps(results, indent=1))
    else:
        report(results)
    faults = [row["faults"] for row in results["files"].values() if row["faults"]]
    return int(bool(results["http"].get("failures")) or bool(faults))


if __name__ == "__main__":
    sys.exit(main())
