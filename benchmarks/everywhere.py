"""The table of all data sets: `default` and `full`, unchanged, beside the best published model.

    python benchmarks/everywhere.py --data FOLDER [--only amazon-beauty,ml-1m] [--recipes default]
        [--protocol time] [--work FOLDER] [--minutes 60] [--anonymised] [--fusion-methods] [--table]

A run is one recipe on one data set by one protocol, in a process of its own. Its report is stored
in `--work`, and a run that is there is left out: stop the script and start it again at will. A run
that takes more than `--minutes` is stopped and named below the table. With `--anonymised` every run
has a second one on the same data with new ids in random order, shuffled rows and a random order of
each user's events of one day: what remains does not rest on ids or files. `--fusion-methods` adds
the rows of other fusions to the reports, and their seconds to the fits. `--table` only prints.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from public_sets import DATA_SETS, anonymised
from serve import machine

import plait

ROOT = Path(__file__).resolve().parent.parent
RECIPES = ("default", "full")
METRICS = ("recall@10", "ndcg@10")


@dataclass(frozen=True, slots=True)
class Run:
    """One recipe on one data set by one protocol."""

    data_set: str
    protocol: str
    recipe: str
    is_anonymised: bool = False

    @property
    def name(self) -> str:
        """The name of its report."""
        suffix = "-anonymised" if self.is_anonymised else ""
        return f"{self.data_set}-{self.protocol}-{self.recipe}{suffix}"


def measure(run: Run, data: Path, path: Path, with_fusion_methods: bool) -> None:
    """Evaluate one run and store its report."""
    known = DATA_SETS[run.data_set]
    source = dict(known.read(data / known.folder))
    if run.is_anonymised:
        source = dict(anonymised(source))
    source["events"] = source["events"].drop("day", strict=False)
    options: dict[str, Any] = {"test_days": known.days} if run.protocol == "time" else {}
    began = time.perf_counter()
    with plait.open(None) as workspace:
        workspace.ingest(**source)
        report = workspace.evaluate(
            run.protocol, [run.recipe], k=(10,), fusion_methods=with_fusion_methods, **options
        )
    document = {"report": report.to_dict(), "seconds": time.perf_counter() - began}
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(document))
    temporary.replace(path)


def runs(options: argparse.Namespace) -> Iterator[Run]:
    """The runs that the options ask for, those of one data set together."""
    only = set(options.only.split(",")) - {""}
    if unknown := only - DATA_SETS.keys():
        raise SystemExit(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(DATA_SETS)}")
    for name, known in DATA_SETS.items():
        for protocol in known.protocols:
            for recipe in options.recipes.split(","):
                if (only and name not in only) or options.protocol not in ("", protocol):
                    continue
                yield Run(name, protocol, recipe)
                if options.anonymised:
                    yield Run(name, protocol, recipe, is_anonymised=True)


def complete(options: argparse.Namespace) -> None:
    """Make the reports that are missing, one after the other."""
    options.work.mkdir(parents=True, exist_ok=True)
    todo = [run for run in runs(options) if not (options.work / f"{run.name}.json").exists()]
    for number, run in enumerate(todo, 1):
        print(f"{number}/{len(todo)} {run.name}", end=" ", file=sys.stderr, flush=True)
        began = time.perf_counter()
        path = options.work / f"{run.name}.json"
        arguments = (run, options.data, path, options.fusion_methods)
        process = multiprocessing.get_context("spawn").Process(target=measure, args=arguments)
        process.start()
        process.join(60 * options.minutes)
        outcome = "stored" if process.exitcode == 0 else f"failed ({process.exitcode})"
        if process.exitcode is None:
            process.terminate()
            process.join()
            outcome = "stopped"
        if outcome != "stored":
            path.with_suffix(".stopped").write_text(f"{outcome} after {options.minutes:g} min")
        print(f"{outcome} after {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)


def stored(run: Run, work: Path) -> dict[str, Any] | None:
    """The report of a run, if there is one."""
    path = work / f"{run.name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def row(report: dict[str, Any], name: str) -> dict[str, Any]:
    """The row of a report with a name."""
    return next(entry for entry in report["results"] if entry["model"] == name)


def ndcg(entry: dict[str, Any]) -> float:
    """NDCG@10 of a row."""
    return float(entry["metrics"]["ndcg@10"]["value"] or 0)


def interval(figure: dict[str, Any]) -> str:
    if figure["low"] is None:
        return f"{figure['value']:.4f}"
    return f"{figure['value']:.4f} [{figure['low']:.4f}, {figure['high']:.4f}]"


def best_other(report: dict[str, Any]) -> dict[str, Any]:
    """The row with the best NDCG@10 among single models and baselines."""
    others = [
        entry for entry in report["results"] if not entry["model"].startswith(("fused", "without:"))
    ]
    return max(others, key=lambda entry: entry["metrics"]["ndcg@10"]["value"] or 0)


def verdict(report: dict[str, Any], run: Run) -> str:
    """Whether the fused row is first, against our own rows and what is published."""
    value, other = ndcg(row(report, "fused")), best_other(report)
    published = DATA_SETS[run.data_set].published.get(run.protocol)
    if published and value < published[2]:
        return f"no: behind {published[0]}"
    if ndcg(other) <= value:
        return "yes"
    gap = next(
        gap
        for gap in report["paired"]
        if gap["metric"] == "ndcg@10" and gap["against"] == other["model"]
    )
    return f"{'tie with' if gap['tie'] else 'no: behind'} `{other['model']}`"


def is_fusion(name: str) -> bool:
    return name.startswith(("fused:", "without:"))


def table(options: argparse.Namespace) -> Iterator[str]:
    """The table of all stored reports, and the runs that are missing."""
    yield "| data | protocol | recipe | Recall@10 | NDCG@10 | best other row | published | first |"
    yield "|---|---|---|---|---|---|---|---|"
    missing = []
    for run in runs(options):
        document = stored(run, options.work)
        if document is None:
            reason = options.work / f"{run.name}.stopped"
            missing.append(f"{run.name}" + (f" ({reason.read_text()})" if reason.exists() else ""))
            continue
        report = document["report"]
        fused, other = row(report, "fused"), best_other(report)
        published = DATA_SETS[run.data_set].published.get(run.protocol)
        recipe = f"`{run.recipe}`" + (", anonymised" if run.is_anonymised else "")
        cells = [
            run.data_set,
            run.protocol,
            recipe,
            *(interval(fused["metrics"][metric]) for metric in METRICS),
            f"`{other['model']}` {ndcg(other):.4f}",
            f"{published[0]} {published[1]:.4f} / {published[2]:.4f}" if published else "",
            verdict(report, run),
        ]
        yield f"| {' | '.join(cells)} |"
    if missing:
        yield f"\nNot measured: {', '.join(missing)}."


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of every script that makes or reads these reports."""
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--only", default="", help="data sets, with commas between")
    parser.add_argument("--recipes", default=",".join(RECIPES))
    parser.add_argument("--protocol", default="", choices=("", "leave-one-out", "time"))
    parser.add_argument("--work", type=Path, default=ROOT / ".cache" / "everywhere")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--anonymised", action="store_true")
    parser.add_argument("--fusion-methods", action="store_true")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_options(parser)
    parser.add_argument("--table", action="store_true", help="print what is stored, run nothing")
    options = parser.parse_args()
    if not options.table:
        complete(options)
    print(machine())
    for line in table(options):
        print(line)


if __name__ == "__main__":
    main()
