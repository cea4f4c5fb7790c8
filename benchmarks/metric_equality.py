"""Compares `plait.score` with the metric code of RecTools, RecBole and LensKit on the same lists.

    python benchmarks/metric_equality.py --work build/libraries [--library rectools ...] [--write]
        [--data RATINGS]

Environments are those of `benchmarks/libraries`, made below --work at first use. Prints the largest
difference of any user by metric and library; with --data also on the lists of EASE for the users of
a file of ratings (5-core, a random fifth of each user held out). --write renews the fixed values by
which tests/experiments/scores/test_metric_equality.py holds the equality without the libraries.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import plait
from plait import models

HERE = Path(__file__).parent
FIXTURE = HERE.parent / "tests" / "experiments" / "scores" / "metric_values.json"
N_USERS, N_ITEMS, DEPTH = 24, 40, 20


def world(seed: int, *, full: bool) -> dict[str, Any]:
    """Lists, targets and train; where not `full`, lists of 1 to 20 items."""
    generator = np.random.default_rng(seed)
    lengths = np.full(N_USERS, DEPTH) if full else generator.integers(1, DEPTH + 1, N_USERS)
    n_targets = generator.integers(1, 12, N_USERS)
    train = {
        (int(user), int(item))
        for user, item in zip(
            generator.integers(0, 30, 260), generator.zipf(1.4, 260) % (N_ITEMS - 4), strict=True
        )
    }
    return {
        "lists": [generator.permutation(N_ITEMS)[:length].tolist() for length in lengths],
        "targets": [generator.permutation(N_ITEMS)[:count].tolist() for count in n_targets],
        "train": [list(pair) for pair in sorted(train)],
        "n_items": N_ITEMS,
        "ks": [1, 5, 10, 20],
    }


WORLDS = {"full": world(1, full=True), "short": world(2, full=False)}
"""RecBole measures full lists alone: its lists are a matrix."""


def real_world(path: Path) -> dict[str, Any]:
    """The lists of EASE, the held-out items and train of a file of ratings."""
    train, test = plait.Dataset.of(path).kcore(5).split_random(0.2, seed=1)
    frame = models.EASE(l2=200).fit(train).recommend(test, k=DEPTH)
    number = {item: index for index, item in enumerate(train.item_ids)}
    lists = dict(frame.group_by("user").agg("item").iter_rows())
    targets = dict(test.to_frame().group_by("user").agg("item").iter_rows())
    users = sorted(user for user in targets if len(lists.get(user, ())) == DEPTH)
    place = {user: index for index, user in enumerate(train.user_ids)}
    for item in test.item_ids:
        number.setdefault(item, len(number))
    pairs = train.to_frame().select("user", "item").unique(maintain_order=True).iter_rows()
    return {
        "lists": [[number[item] for item in lists[user]] for user in users],
        "targets": [[number[item] for item in targets[user]] for user in users],
        "train": [[place[user], number[item]] for user, item in pairs],
        "n_items": len(number),
        "ks": [1, 5, 10, 20],
    }


def own_values(lists: Mapping[str, Any], names: list[str]) -> dict[str, np.ndarray]:
    """The values of every user by `plait.score`, by metric and cut-off."""
    test = [(user, item) for user, items in enumerate(lists["targets"]) for item in items]
    table = plait.score(
        {"lists": {str(user): list(map(str, items)) for user, items in enumerate(lists["lists"])}},
        [(str(user), str(item)) for user, item in test],
        k=lists["ks"],
        metrics=names,
        train=[(str(user), str(item)) for user, item in lists["train"]],
        items={"item": [str(number) for number in range(lists["n_items"])]},
        resamples=2,
    )
    frame = table.per_user("lists")
    order = np.argsort([int(user) for user in frame["user"]])
    return {name: frame[name].to_numpy()[order] for name in frame.columns[2:]}


def differences(lists: Mapping[str, Any], values: Mapping[str, list[float]]) -> dict[str, float]:
    """The largest difference of any user and cut-off, by metric."""
    names = list(dict.fromkeys(metric.rpartition("@")[0] for metric in values))
    own = own_values(lists, names)
    largest = dict.fromkeys(names, 0.0)
    for metric, expected in values.items():
        gap = float(np.abs(own[metric] - np.array(expected)).max())
        key = metric.rpartition("@")[0]
        largest[key] = max(largest[key], gap)
    return largest


def measured(
    library: str, python: Path, work: Path, worlds: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The values by the library's own code, by world."""
    for name, lists in worlds.items():
        if library == "recbole" and name == "short":
            continue
        source, target = work / f"{name}.json", work / f"{library}-{name}.json"
        source.write_text(json.dumps(lists), "utf-8")
        command = [str(python), str(HERE / "libraries" / "metrics.py"), library]
        subprocess.run([*command, str(source), str(target)], check=True)
        yield name, json.loads(target.read_text("utf-8"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("build/libraries"))
    parser.add_argument("--library", nargs="*", default=["rectools", "recbole", "lenskit"])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    sys.path.insert(0, str(HERE / "libraries"))
    from environment import InstallError, python_of

    worlds = WORLDS | ({"real": real_world(options.data)} if options.data else {})
    records = []
    for library in options.library:
        try:
            python = python_of(library, options.work)
        except InstallError as problem:
            print(f"{library}: not installed: {problem}")
            continue
        for name, record in measured(library, python, options.work, worlds):
            if name in WORLDS:
                records.append({"library": library, "world": name, **record})
            for metric, gap in differences(worlds[name], record["values"]).items():
                print(f"{library:10} {record['version']:10} {name:6} {metric:20} {gap:.1e}")
    if options.write:
        FIXTURE.write_text(json.dumps({"worlds": WORLDS, "records": records}) + "\n", "utf-8")


if __name__ == "__main__":
    main()
