"""False sentences among the reasons of three homes, judged by the log alone.

    python benchmarks/reasons.py [--movietweetings FOLDER] [--reasons 10000] [--recipe default]

Online Retail is embedded. MovieTweetings needs a folder with `ratings.parquet` and
`movies.parquet`. The third home is a shop that this script makes: views and purchases, items
without a title, codes, addresses and markup among the fields, words in three scripts.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import plait
from plait import datasets
from plait.eventlog import EventLog
from plait.eventlog.snapshot import snapshot
from plait.testing.reason_checker import LogFacts, Question, false_claims
from plait.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent
DAY = 86_400


def made_shop(seed: int = 0, *, n_items: int = 400, n_users: int = 600) -> dict[str, Any]:
    """Items of eight kinds with untidy fields; users who view much and buy some of it."""
    rng = random.Random(seed)
    nouns = ("Tasse", "Lampe", "Jacke", "Drucker", "茶杯", "Café-Maschine", "Rucksack", "Stuhl")
    colours = ("rot", "blau", "grün", "schwarz", "白色")
    items = []
    for number in range(n_items):
        noun = nouns[number % len(nouns)]
        entry = {
            "item": f"SKU-{number:04}-X",
            "title": f"{rng.choice(colours)} {noun} {number}",
            "category": f"Kategorie {noun}",
            "brand": rng.choice(("Lexmark", "OPI", "n/a", "MOD-KLE-08")),
            "parent_id": f"MOD-{number // 4:03}",
            "url": f"https://example.org/p/{number % 50}",
            "description": f"<b>{noun}</b> – leise Ausführung für Zuhause & Büro. " * 3,
            "status": "true",
        }
        if number % 9 == 0:
            entry["title"] = None
        if number % 11 == 0:
            entry["title"] = f"\u202e<script>{noun}</script>\u0007 {number} " + "sehr lang " * 30
        items.append(entry)
    events = []
    for user in range(n_users):
        taste = rng.randrange(len(nouns))
        for step in range(rng.randrange(1, 16)):
            weight = rng.random()
            number = (
                rng.randrange(n_items)
                if weight < 0.3
                else min(int(rng.expovariate(1 / 12)), n_items // 8 - 1) * 8 + taste
            )
            time = 1_700_000_000 + rng.randrange(90) * DAY + step * 60
            kind = rng.choice(("view", "view", "view", "cart", "purchase"))
            event = {"user": f"u{user}", "item": items[number]["item"], "kind": kind}
            times = [time + repeat * DAY for repeat in range(4 if weight > 0.95 else 1)]
            events += [{**event, "time": moment} for moment in times]
    return {"items": items, "events": events}


def questions(facts: LogFacts, seed: int) -> Any:
    """Endless questions: users, strangers, sessions, anchors and words."""
    rng = random.Random(seed)
    users, items = sorted(facts.events), sorted(facts.fields)
    titles = [words for item in items if (words := facts.title(item).split())]
    while True:
        yield Question(user=rng.choice(users))
        yield Question(items=(rng.choice(items),))
        yield Question(user=rng.choice(users), text=" ".join(rng.choice(titles)[:3])[:100])
        yield Question(history=tuple(rng.sample(items, 2)))
        yield Question(text=f"{rng.choice(rng.choice(titles))}s <b>\x00\u202e zzz")
        yield Question(user=rng.choice(users), items=(rng.choice(items),))
        yield Question()


def check(workspace: Workspace, home: Path, n_reasons: int, recipe: str) -> tuple[int, list[str]]:
    """How many reasons were checked, and what is wrong with them."""
    workspace.fit(recipe)
    with EventLog.open(home) as log:
        facts = LogFacts.of(snapshot(log))
    problems: list[str] = []
    keys: Counter[str] = Counter()
    for question in questions(facts, 0):
        query = plait.Query(
            user=question.user,
            items=question.items,
            history=question.history,
            text=question.text or None,
            k=20,
            seen="keep",
        )
        for item in workspace.ask([query])[0].items:
            keys.update(reason["key"] for reason in item.reasons)
            problems += false_claims(facts, question, item.id, item.reasons)
        if keys.total() >= n_reasons:
            break
    print("  ", dict(keys.most_common()))
    return keys.total(), problems


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--movietweetings", type=Path)
    parser.add_argument("--reasons", type=int, default=10_000)
    parser.add_argument("--recipe", default="default")
    options = parser.parse_args()
    sources: dict[str, dict[str, Any]] = {
        "own shop": made_shop(),
        "online-retail": dict(datasets.load("online-retail")),
    }
    if options.movietweetings:
        folder = options.movietweetings
        sources["movietweetings"] = {
            "events": folder / "ratings.parquet",
            "items": folder / "movies.parquet",
            "map": ROOT / "docs" / "mappings" / "movietweetings.toml",
        }
    for name, source in sources.items():
        with tempfile.TemporaryDirectory() as home, plait.open(home) as workspace:
            workspace.ingest(**source)
            total, problems = check(workspace, Path(home), options.reasons, options.recipe)
        print(f"{name}: {len(problems)} false of {total}")
        for problem, count in Counter(problems).most_common(10):
            print(f"   {count} x {problem}")


if __name__ == "__main__":
    main()
