"""How far bought events move what others are shown, by kind of attack, with accuracy beside.

    python benchmarks/shilling.py [--data FOLDER] [--only online-retail] [--recipe default]
        [--attacks "50 x 1,1 x 100"] [--users 800] [--target ITEM] [--live] [--accuracy] [--json]

Each attack goes through the log: its rows are imported into a copy of the home, the recipe is
fitted again, and real users are asked. With `--live` they are posted to a fitted home and no fit
follows. The target is an item of some twenty users that is in no user's top ten. All
rows lie in the last hour of the log, those of the slow attacks in the days before. FOLDER holds
`movietweetings` and `amazon-beauty` with its times (docs/datasets.md); Online Retail is embedded.

Random, average, bandwagon and segment attacks are those of Lam and Riedl (2004) and Mobasher et al.
(2007), for events without ratings: what differs is which items stand beside the target.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import similar_anchors

import plait
from plait.eventlog import EventLog
from plait.eventlog.snapshot import snapshot
from plait.features.interactions import interaction_matrix
from plait.workspace import Workspace

DAY, HOUR = 86_400.0, 3_600.0
TARGET_USERS = 20
ANCHORS = 20
DEEP = 100


@dataclass(frozen=True, slots=True)
class World:
    """What an attacker can see: items by falling popularity, the end of the log, its usual kind."""

    kind: str
    end: float
    ranked: list[str]
    companions: list[str]
    users: list[str]
    rare: list[str]
    target: str = ""


Rows = Iterator[tuple[int, str, float]]
"""Account, item, and how many seconds before the end of the log."""


def repeated(accounts: int, times: int, every: float = 0.0) -> Callable[[World], Rows]:
    """The target alone; `every` so many seconds, or all within the last hour."""

    def rows(world: World) -> Rows:
        for account in range(accounts):
            for turn in range(times):
                before = turn * every if every else HOUR * (turn + 1) / (times + 1)
                yield account, world.target, before + account % 60

    return rows


def disguised(
    accounts: int, fillers: Callable[[World, random.Random], list[str]], days: float = 0.0
) -> Callable[[World], Rows]:
    """The target once for each account, behind other items; these over so many days."""

    def rows(world: World) -> Rows:
        draw = random.Random(0)
        for account in range(accounts):
            for turn, item in enumerate(fillers(world, draw)):
                before = draw.random() * days * DAY if days else 2 * HOUR - turn
                yield account, item, before + HOUR
            yield account, world.target, HOUR * account / accounts

    return rows


def after_a_week(world: World) -> Rows:
    """Fifty accounts with a bestseller each, and eight days later the target."""
    for account in range(50):
        yield account, world.ranked[account % ANCHORS], 8 * DAY + HOUR * account / 50
        yield account, world.target, HOUR * account / 50


def spread(world: World, draw: random.Random) -> list[str]:
    return draw.sample(world.ranked, 20)


def alternating(world: World) -> Rows:
    """One account that buys a bestseller and the target in turn."""
    for turn in range(2000):
        item = world.ranked[turn // 2 % ANCHORS] if turn % 2 == 0 else world.target
        yield 0, item, HOUR * (2001 - turn) / 2001


ATTACKS: dict[str, Callable[[World], Rows]] = {
    "1 x 100": repeated(1, 100),
    "1 x 1000": repeated(1, 1000),
    "1 x 100000": repeated(1, 100_000),
    "1 x 300 days": repeated(1, 300, DAY),
    "1 in turn with bestsellers": alternating,
    "10 x 5": repeated(10, 5),
    "50 x 1": repeated(50, 1),
    "50 x 20": repeated(50, 20),
    "50 x 10 days": repeated(50, 10, DAY),
    "50 after a week": after_a_week,
    "50 with 20 bestsellers": disguised(50, lambda world, _: world.ranked[:20]),
    "50 random": disguised(50, spread),
    "50 average": disguised(50, spread, 100),
    "50 bandwagon": disguised(
        50, lambda world, draw: world.ranked[:5] + draw.sample(world.ranked, 15)
    ),
    "50 segment": disguised(50, lambda world, _: world.companions[:10]),
}
"""Accounts, and what each does: the target so many times, at once or one a day; or once, eight days
after a bestseller; behind 20 items, of all or the best, today or over 100 days; behind 5
bestsellers and 15 others (bandwagon); behind 10 that go together (segment)."""


def sources(data: Path | None) -> dict[str, Any]:
    """What to ingest, by data set, all with times."""
    known: dict[str, Any] = dict(similar_anchors.sources(data))
    if data is not None:
        rows = pl.read_parquet(data / "amazon-beauty" / "interactions_with_time.parquet")
        timed = rows.select("user_id", "item_id", time="unix_time").drop_nulls()
        known["beauty"] = {**known["beauty"], "events": timed}
    return known


def seen_by_attacker(home: Path) -> World:
    """Read the world from the log of a home."""
    with EventLog.open(home) as log:
        data = snapshot(log)
    events, ids = data.interactions, data.catalogue.ids
    catalogued = data.catalogue.catalogued()
    matrix = interaction_matrix(data)
    counts = np.asarray(matrix.sum(axis=0)).ravel()
    if catalogued is not None:
        counts = counts * catalogued
    order = np.lexsort((data.catalogue.tiebreak, -counts))
    order = order[counts[order] > 0]
    together = np.asarray((matrix.T @ matrix[:, [order[0]]]).todense()).ravel() * (counts > 0)
    rarity = np.lexsort((data.catalogue.tiebreak, np.abs(counts - TARGET_USERS)))
    kinds = Counter(events.event_types.tolist())
    active = np.unique(events.users).tolist()
    return World(
        data.event_types[kinds.most_common(1)[0][0]],
        float(events.times.max()) / 1e6,
        [ids[item] for item in order.tolist()],
        [ids[item] for item in np.argsort(-together, kind="stable")[: ANCHORS + 1].tolist()],
        [data.users.ids[user] for user in active],
        [ids[item] for item in rarity[:200].tolist()],
    )


def rows_of(world: World, attack: Callable[[World], Rows]) -> list[dict[str, Any]]:
    return [
        {
            "user": f"fake {account}",
            "item": item,
            "kind": world.kind,
            "time": round(world.end - before, 6),
        }
        for account, item, before in attack(world)
    ]


def answers(home: Workspace, users: list[str]) -> list[list[str]]:
    return [response.ids for response in home.recommend_many(users, k=10)]


def outcome(home: Workspace, world: World, users: list[str]) -> dict[str, Any]:
    """Where the target stands in the lists of real users, of a stranger and of bestsellers."""
    lists = answers(home, users)
    stranger = home.recommend(None, k=DEEP).ids
    anchors = [item for item in world.ranked if item != world.target][:ANCHORS]
    return {
        "in_top_ten": float(np.mean([world.target in ids for ids in lists])),
        "first": float(np.mean([ids[:1] == [world.target] for ids in lists])),
        "stranger": stranger.index(world.target) + 1 if world.target in stranger else None,
        "similar": sum(world.target in home.similar(anchor, k=10).ids for anchor in anchors),
    }


def attacked(clean: Path, world: World, name: str, options: argparse.Namespace) -> dict[str, Any]:
    """The outcome of one attack on a copy of a fitted home."""
    users = sampled(world, options.users)
    rows = rows_of(world, ATTACKS[name])
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "home"
        shutil.copytree(clean, copy)
        with plait.open(copy) as home:
            home.ingest(events=rows)
            if not options.live:
                home.fit(options.recipe)
            row = {"attack": name, "events": len(rows), **outcome(home, world, users)}
            bundle = home.info()["bundle"] or {}
            return {**row, "flagged": flagged(bundle, world.target)}


def flagged(bundle: dict[str, Any], target: str) -> bool:
    """Whether the fit says that the rise of the target is doubtful."""
    return any(item["item"] == target for item in bundle.get("doubtful_items", ()))


def sampled(world: World, count: int) -> list[str]:
    users = sorted(world.users)
    random.Random(1).shuffle(users)
    return users[:count]


def with_target(home: Workspace, world: World, options: argparse.Namespace) -> World:
    """The world with an item that is in no user's top ten."""
    shown = {item for ids in answers(home, sampled(world, options.users)) for item in ids}
    shown |= set(home.recommend(None, k=DEEP).ids)
    target = options.target or next(item for item in world.rare if item not in shown)
    return World(*(getattr(world, name) for name in list(world.__slots__)[:-1]), target=target)


def measured(name: str, source: Any, options: argparse.Namespace) -> list[dict[str, Any]]:
    """The rows of one data set, the first without an attack."""
    with tempfile.TemporaryDirectory() as folder:
        clean = Path(folder) / "home"
        with plait.open(clean) as home:
            home.ingest(**source)
            home.fit(options.recipe)
            world = with_target(home, seen_by_attacker(clean), options)
            users = sampled(world, options.users)
            rows = [{"attack": "none", "events": 0, **outcome(home, world, users)}]
            rows[0]["flagged"] = flagged(home.info()["bundle"] or {}, world.target)
            if options.accuracy:
                report = home.evaluate("time", (options.recipe,), k=(10,), test_days=28)
                row = next(row for row in report.results if row.model.endswith("fused"))
                rows[0]["ndcg@10"] = row.metrics["ndcg@10"].to_dict()
        show(name, rows[0], options)
        for attack in options.attacks.split(",") if options.attacks else ATTACKS:
            rows.append(attacked(clean, world, attack, options))
            show(name, rows[-1], options)
    return [{"data": name, "target": world.target, **row} for row in rows]


def show(name: str, row: dict[str, Any], options: argparse.Namespace) -> None:
    if options.json:
        return
    accuracy = row.get("ndcg@10")
    cells = [
        name,
        row["attack"],
        f"{row['events']:,}",
        f"{row['in_top_ten']:.1%}",
        f"{row['first']:.1%}",
        str(row["stranger"] or f"> {DEEP}"),
        str(row["similar"]),
        "yes" if row["flagged"] else "no",
        f"{accuracy['value']:.4f}" if accuracy else "",
    ]
    print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--attacks", default="")
    parser.add_argument("--users", type=int, default=800)
    parser.add_argument("--target", default="")
    parser.add_argument("--live", action="store_true")
    parser.add_argument("--accuracy", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    names = set(options.only.split(",")) - {""} or {"online-retail", "movietweetings", "beauty"}
    if not options.json:
        heads = "data|attack|events|in top 10 of|first for|stranger|similar|flagged|NDCG@10"
        print(f"| {' | '.join(heads.split('|'))} |\n{'|---' * 9}|")
    rows = [
        row
        for name, source in sources(options.data).items()
        if name in names
        for row in measured(name, source, options)
    ]
    if options.json:
        print(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
