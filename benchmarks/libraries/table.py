"""Markdown tables of the results that `run.py` wrote.

python benchmarks/peers/table.py [--out benchmarks/out/peers] [--target 0.085]
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
    found: dict[str, dict[tuple[str, str], list[Result]]] = defaultdict(lambda: defaultdict(list))
    for one in results:
        about = one["world"]
        sample = f", {about['sample_users']} users" if about.get("sample_users") else ""
        world = f"{about['data']}{sample} ({about['hash']})"
        model = Path(one["model"]).stem + (f" {one['label']}" if one.get("label") else "")
        found[world][one["peer"], model].append(one)
    return found


def metric(runs: Sequence[Result], name: str) -> str:
    """One run: value and interval; several: their mean and how far seeds are apart."""
    values = [one["metrics"][name] for one in runs]
    if len(runs) == 1:
        value, low, high = (values[0][part] for part in ("value", "low", "high"))
        return f"{value:.4f} [{low:.4f}, {high:.4f}]"
    each = [one["value"] for one in values]
    return f"{fmean(each):.4f} ± {stdev(each):.4f} ({len(runs)} seeds)"


def seconds(runs: Sequence[Result], name: str) -> str:
    """Seconds of a fit, the mean over seeds."""
    found = [one[name] for one in runs if name in one]
    return f"{fmean(found):,.0f}" if found else ""


def row(key: tuple[str, str], runs: Sequence[Result], names: Sequence[str]) -> str:
    """A line of the table; what failed says so."""
    broken = [one for one in runs if "error" in one]
    if broken:
        told = (broken[0]["error"].strip() or "ended without a word").splitlines()[-1]
        return f"| {key[0]} | {key[1]} | `{told}` |" + " |" * (len(names) + 4)
    first = runs[0]
    versions = ", ".join(f"{name} {one}" for name, one in first["versions"].items())
    cut = " (cut off)" if first["cut"] else ""
    peak = max(one["peak_mb"] for one in runs)
    parts = [
        *(metric(runs, name) for name in names),
        seconds(runs, "fit_seconds") or seconds(runs, "seconds"),
        f"{seconds(runs, 'seconds')}{cut}",
        f"{peak:,.0f}",
        f"{first['trials']}",
        f"{first['threads']}",
        versions,
    ]
    return f"| {key[0]} | {key[1]} | {' | '.join(parts)} |"


def table(found: Mapping[tuple[str, str], list[Result]]) -> list[str]:
    """All models on one world, the best first."""
    ratings = any("rmse" in one.get("metrics", {}) for runs in found.values() for one in runs)
    names = ("rmse", "mae", "r2") if ratings else ("recall@10", "ndcg@10")
    sign = 1 if ratings else -1

    def place(item: tuple[tuple[str, str], list[Result]]) -> float:
        known = [one for one in item[1] if "metrics" in one]
        return sign * fmean(one["metrics"][names[0]]["value"] for one in known) if known else 1e9

    titles = {"rmse": "RMSE", "mae": "MAE", "r2": "R2", "recall@10": "Recall@10"}
    heads = [*(titles.get(name, name.upper()) for name in names)]
    heads += ["fit, s", "whole run, s", "peak, MB", "settings tried", "threads", "versions"]
    lines = [f"| peer | model | {' | '.join(heads)} |", "|---" * (len(heads) + 2) + "|"]
    return lines + [row(key, runs, names) for key, runs in sorted(found.items(), key=place)]


def reached(runs: Sequence[Result], target: float) -> tuple[float, str]:
    """When a curve first had the target on the test, and in words; the median over seeds."""
    times = []
    for run in runs:
        told = [one["seconds"] for one in run["curve"] if one["test"].get("recall@10", 0) >= target]
        times.append(min(told, default=float("inf")))
    when = median(times)
    if when < float("inf"):
        return when, f"{when:,.0f} s"
    best = max(one["test"].get("recall@10", 0) for run in runs for one in run["curve"])
    minutes = runs[0]["minutes"]
    cut = any(run["cut"] for run in runs)
    why = f"not reached in {minutes:g} min" if cut else "not reached, training ended by itself"
    return when, f"{why}, at {best:.4f}"


def race(found: Mapping[tuple[str, str], list[Result]], target: float) -> list[str]:
    """Seconds to a Recall@10 on the test, of all that have a curve."""
    lines = [f"| peer | model | time to Recall@10 {target:g} |", "|---|---|---|"]
    timed = {
        key: reached([one for one in runs if one.get("curve")], target)
        for key, runs in found.items()
        if any(one.get("curve") for one in runs)
    }
    for (peer, model), (_, told) in sorted(timed.items(), key=lambda item: item[1][0]):
        lines.append(f"| {peer} | {model} | {told} |")
    return lines if timed else []


def whole(found: Mapping[tuple[str, str], list[Result]]) -> dict[tuple[str, str], list[Result]]:
    """Without the ladders: fits cut short for the race, whose last one is no row of its own."""
    return {
        key: [one for one in runs if one.get("label") != "ladder"]
        for key, runs in found.items()
        if any(one.get("label") != "ladder" for one in runs)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/out/peers"))
    parser.add_argument("--target", type=float, default=0.085)
    given = parser.parse_args()
    results = [json.loads(one.read_text("utf-8")) for one in sorted(given.out.glob("*.json"))]
    for world, found in groups(results).items():
        first = next(iter(found.values()))[0]["world"]
        print(f"\n### {world}: {first['queries']:,} queries\n")
        print("\n".join(table(whole(found))))
        print("\n" + "\n".join(race(found, given.target)))


if __name__ == "__main__":
    main()
