"""Accuracy, fit and evaluation seconds of the default recipe.

    python benchmarks/accuracy.py [--beauty FOLDER] [--recipe NAME|FILE] [--refit]

Online Retail is embedded: time cut, last 28 days. Amazon Beauty needs a folder with
`interactions.parquet` and `items.parquet`: leave-one-out, seen removed, all items ranked.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from serve import machine

import plait
from plait import datasets
from plait.evaluation.reporting.table import print_report
from plait.workspace import Workspace


def online_retail(recipe: str) -> None:
    with tempfile.TemporaryDirectory() as home, plait.open(home) as workspace:
        workspace.ingest(**datasets.load("online-retail"))
        measured(workspace, "time", recipe, test_days=28)


def beauty(folder: Path, recipe: str, refit: bool) -> None:
    with tempfile.TemporaryDirectory() as home, plait.open(home) as workspace:
        workspace.ingest(events=folder / "interactions.parquet", items=folder / "items.parquet")
        measured(workspace, "leave-one-out", recipe, refit=False)
        if refit:
            measured(workspace, "leave-one-out", recipe, refit=True)


def measured(workspace: Workspace, protocol: str, recipe: str, **options: object) -> None:
    start = time.perf_counter()
    report = workspace.evaluate(protocol, (recipe,), k=(5, 10), **options)
    print(f"\n{protocol} {options}: {time.perf_counter() - start:.0f} s in all")
    print_report(report)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--beauty", type=Path)
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--refit", action="store_true")
    options = parser.parse_args()
    print(machine())
    online_retail(options.recipe)
    if options.beauty:
        beauty(options.beauty, options.recipe, options.refit)


if __name__ == "__main__":
    main()
