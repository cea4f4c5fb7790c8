"""Markdown tables of the results that `run.py` wrote.

python benchmarks/libraries/table.py [--out benchmarks/out/libraries] [--target 0.085]
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

Result = Mapping[str, Any]


def groups(results: Iterable[Result]) -> dict[str, dict[tuple[str, str], list[Result]]]:
    """Runs of one model that differ by seed alone, by world."""
    runs: dict[str, dict[tuple[str, str], list[Result]]] = defaultdict(lambda: defaultdict(list))
    for result in results:
        about = result["world"]
        sample = f", {about['sample_users']} users" if about.get("sample_users") else ""
        world = f"{about['data']}{sample} ({about['hash']})"
        model = Path(result["model"]).stem + (f" {result['label']}" if result.get("label") else "")
        runs[world][result["library"], model].append(result)
    return runs


def metric(runs: Sequence[Result], name: str) -> str:
    """One run: value and interval; several: their mean and how far seeds are apart."""
    values = [run["metrics"][name] for run in runs]
    if len(runs) == 1:
        value, low, high = (values[0][part] for part in ("value", "low", "high"))
        return f"{value:.4f} [{low:.4f}, {high:.4f}]"
    means = [run["value"] for run in values]
    return f"{fmean(means):.4f} ± {stdev(means):.4f} ({len(runs)} seeds)"


def seconds(runs: Sequence[Result], name: str) -> str:
    """Seconds of a fit, the mean over seeds."""
    spent = [run[name] for run in runs if name in run]
    return f"{fmean(spent):,.0f}" if spent else ""


def row(key: tuple[str, str], runs: Sequence[Result], names: Sequence[str]) -> str:
    """A line of the table; what failed says so."""
    broken = [run for run in runs if "error" in run]
    if broken:
        message = (broken[0]["error"].strip() or "ended without a message").splitlines()[-1]
        return f"| {key[0]} | {key[1]} | `{message}` |" + " |" * (len(names) + 4)
    first = runs[0]
    versions = ", ".join(f"{name} {run}" for name, run in first["versions"].items())
    cut = " (cut off)" if first["cut"] else ""
    peak = max(run["peak_mb"] for run in runs)
    cells = [
        *(metric(runs, name) for name in names),
        seconds(runs, "fit_seconds") or seconds(runs, "seconds"),
        f"{seconds(runs, 'seconds')}{cut}",
        f"{peak:,.0f}",
        f"{first['trials']}",
        f"{first['threads']}",
        versions,
    ]
    return f"| {key[0]} | {key[1]} | {' | '.join(cells)} |"


def table(groups_by_model: Mapping[tuple[str, str], list[Result]]) -> list[str]:
    """All models on one world, the best first."""
    ratings = any(
        "rmse" in run.get("metrics", {}) for runs in groups_by_model.values() for run in runs
    )
    names = ("rmse", "mae", "r2") if ratings else ("recall@10", "ndcg@10")
    sign = 1 if ratings else -1

    def place(item: tuple[tuple[str, str], list[Result]]) -> float:
        known = [run for run in item[1] if "metrics" in run]
        return sign * fmean(run["metrics"][names[0]]["value"] for run in known) if known else 1e9

    titles = {"rmse": "RMSE", "mae": "MAE", "r2": "R2", "recall@10": "Recall@10"}
    heads = [*(titles.get(name, name.upper()) for name in names)]
    heads += ["fit, s", "whole run, s", "peak, MB", "settings tried", "threads", "versions"]
    lines = [f"| library | model | {' | '.join(heads)} |", "|---" * (len(heads) + 2) + "|"]
    return lines + [
        row(key, runs, names) for key, runs in sorted(groups_by_model.items(), key=place)
    ]


def reached(runs: Sequence[Result], target: float) -> tuple[float, str]:
    """When a curve first had the target on the test, and in words; the median over seeds."""
    times = []
    for run in runs:
        times_reached = [
            point["seconds"]
            for point in run["curve"]
            if point["test"].get("recall@10", 0) >= target
        ]
        times.append(min(times_reached, default=float("inf")))
    when = median(times)
    if when < float("inf"):
        return when, f"{when:,.0f} s"
    best = max(point["test"].get("recall@10", 0) for run in runs for point in run["curve"])
    minutes = runs[0]["minutes"]
    cut = any(run["cut"] for run in runs)
    why = f"not reached in {minutes:g} min" if cut else "not reached, training ended by itself"
    return when, f"{why}, at {best:.4f}"


def race(groups_by_model: Mapping[tuple[str, str], list[Result]], target: float) -> list[str]:
    """Seconds to a Recall@10 on the test, of all that have a curve."""
    lines = [f"| library | model | time to Recall@10 {target:g} |", "|---|---|---|"]
    timed = {
        key: reached([run for run in runs if run.get("curve")], target)
        for key, runs in groups_by_model.items()
        if any(run.get("curve") for run in runs)
    }
    for (library, model), (_, text) in sorted(timed.items(), key=lambda item: item[1][0]):
        lines.append(f"| {library} | {model} | {text} |")
    return lines if timed else []


def whole(
    groups_by_model: Mapping[tuple[str, str], list[Result]],
) -> dict[tuple[str, str], list[Result]]:
    """Without the ladders: fits cut short for the race, whose last one is no row of its own."""
    return {
        key: [run for run in runs if run.get("label") != "ladder"]
        for key, runs in groups_by_model.items()
        if any(run.get("label") != "ladder" for run in runs)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/out/libraries"))
    parser.add_argument("--target", type=float, default=0.085)
    options = parser.parse_args()
    results = [json.loads(path.read_text("utf-8")) for path in sorted(options.out.glob("*.json"))]
    for world, by_model in groups(results).items():
        first = next(iter(by_model.values()))[0]["world"]
        print(f"\n### {world}: {first['queries']:,} queries\n")
        print("\n".join(table(whole(by_model))))
        print("\n" + "\n".join(race(by_model, options.target)))


if __name__ == "__main__":
    main()
