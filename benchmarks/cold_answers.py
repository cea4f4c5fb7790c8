"""How often an answer is short although enough items pass: it should be never.

    python benchmarks/cold_answers.py [--requests 10000] [--json]

Five homes, each asked while it is cold (fitted on nothing but items, or on a few events) and warm
(after events, changed items and another fit): random requests of `recommend`, `similar` and `list`
with users, filters, exclusions and lengths. What passes is counted by a model of the shop in this
file, which shares no code with the package. An answer is short if it holds fewer items than asked
for and than pass, wrong if it holds one that does not pass, or one twice.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import plait
from plait.pipeline.recipe import Recipe, load_recipe

START = 1_700_000_000
CATEGORIES = ("lamps", "mugs", "kites", "Stühle", 'the "best"')
KINDS = ("view", "view", "cart", "purchase", "hide")


@dataclass
class Shop:
    """A shop as this file knows it."""

    recipe: Any
    removes_seen: bool
    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    seen: dict[str, set[str]] = field(default_factory=dict)
    hidden: dict[str, set[str]] = field(default_factory=dict)
    n_items: int = 0
    clock: int = START


def own_recipe() -> Recipe:
    """Neighbours alone, without popularity."""
    steps = {"fuse": {}, "rules": {}, "policy": {}, "explain": {}}
    weights = load_recipe("default").event_weights
    return Recipe.of(
        {"name": "own", "models": {"neighbours": {}}, "steps": steps, "event_weights": weights}
    )


def new_item(shop: Shop, draw: random.Random) -> tuple[str, dict[str, Any]]:
    """An item that was not there before."""
    shop.n_items += 1
    fields: dict[str, Any] = {"title": f"thing number {shop.n_items}"}
    if draw.random() < 0.9:
        fields["category"] = draw.choice(CATEGORIES)
    if draw.random() < 0.8:
        fields["price"] = draw.randrange(1, 40)
    return f"item {shop.n_items}", fields


def add_items(home: Any, shop: Shop, draw: random.Random, count: int) -> None:
    """Import items as a file has them."""
    rows = dict(new_item(shop, draw) for _ in range(count))
    shop.items.update(rows)
    home.ingest(items=[{"item": item, **fields} for item, fields in rows.items()])


def add_events(home: Any, shop: Shop, draw: random.Random, count: int) -> None:
    """Post events of some users; popular items are taken more often."""
    ids = list(shop.items)
    rows = []
    for _ in range(count):
        shop.clock += draw.randrange(600)
        user, item = f"user {draw.randrange(25)}", ids[int(len(ids) * draw.random() ** 2)]
        kind = draw.choice(KINDS)
        rows.append({"user": user, "item": item, "kind": kind, "time": shop.clock})
        shop.seen.setdefault(user, set()).add(item)
        if kind == "hide":
            shop.hidden.setdefault(user, set()).add(item)
    home.post(rows)


def change_items(home: Any, shop: Shop, draw: random.Random) -> None:
    """Add, change and remove single items."""
    for _ in range(4):
        item, fields = new_item(shop, draw)
        home.put_item(item, fields)
        shop.items[item] = fields
    item = draw.choice(list(shop.items))
    home.delete_item(item)
    del shop.items[item]
    item = draw.choice(list(shop.items))
    home.patch_item(item, {"price": 3})
    shop.items[item] = {**shop.items[item], "price": 3}


def random_filter(draw: random.Random) -> tuple[str | None, Callable[[dict[str, Any]], bool]]:
    """A filter, and the same as a function of the fields."""
    category, price = draw.choice(CATEGORIES), draw.randrange(1, 42)
    quoted = category.replace('"', '\\"')
    of_category = f'category == "{quoted}"'
    choices: list[tuple[str | None, Callable[[dict[str, Any]], bool]]] = [
        (None, lambda fields: True),
        (of_category, lambda fields: fields.get("category") == category),
        (f"price < {price}", lambda fields: "price" in fields and fields["price"] < price),
        (
            f"{of_category} and price >= {price}",
            lambda fields: fields.get("category") == category and fields.get("price", 0) >= price,
        ),
        ("category == null", lambda fields: "category" not in fields),
    ]
    return draw.choice(choices)


def ask(home: Any, shop: Shop, draw: random.Random) -> str:
    """One random request: "right", "short", "empty" or "wrong"."""
    route = draw.choice(("recommend", "recommend", "similar", "list"))
    expression, passes = random_filter(draw)
    excluded = draw.sample(list(shop.items), draw.randrange(4))
    user = draw.choice((None, "stranger", *shop.seen))
    k = draw.choice((1, 5, 10, 40, 200))
    gone = set(excluded)
    if route == "recommend":
        ids = home.recommend(user, k=k, filter=expression, exclude=excluded).ids
        gone |= shop.hidden.get(user, set())
        if shop.removes_seen:
            gone |= shop.seen.get(user, set())
    elif route == "similar":
        item = draw.choice(list(shop.items))
        ids = home.similar(item, user=user, k=k, filter=expression, exclude=excluded).ids
        gone |= {item, *shop.hidden.get(user, set())}
    else:
        sort = draw.choice(("popularity", "newness", "id"))
        ids = home.list(expression, sort=sort, k=k, exclude=excluded).ids
    passing = {item for item, fields in shop.items.items() if passes(fields)} - gone
    if len(set(ids)) < len(ids) or not set(ids) <= passing:
        return "wrong"
    if len(ids) < min(k, len(passing)):
        return "short" if ids else "empty"
    return "right"


def homes() -> list[tuple[str, Shop, int, int]]:
    """Name, shop, and how many items and events there are at the first fit."""
    return [
        ("items alone", Shop("cold-start", True), 60, 0),
        ("few events", Shop("default", True), 90, 12),
        ("many events", Shop("default", True), 40, 900),
        ("a search site", Shop("search", False), 120, 200),
        ("own recipe", Shop(own_recipe(), True), 50, 60),
    ]


def measure(requests: int, folder: Path, seed: int = 0) -> dict[str, dict[str, int]]:
    """What became of the requests, by home and temperature."""
    results: dict[str, dict[str, int]] = {}
    chosen = homes()
    for name, shop, n_items, n_events in chosen:
        draw = random.Random(f"{seed} {name}")
        with plait.open(folder / name.replace(" ", "-")) as home:
            add_items(home, shop, draw, n_items)
            if n_events:
                add_events(home, shop, draw, n_events)
            home.fit(shop.recipe)
            for temperature in ("cold", "warm"):
                outcomes = Counter({"right": 0, "short": 0, "empty": 0, "wrong": 0})
                for number in range(requests // (2 * len(chosen))):
                    if number % 50 == 49:
                        change_items(home, shop, draw)
                        add_events(home, shop, draw, 5 if temperature == "cold" else 40)
                    outcomes[ask(home, shop, draw)] += 1
                results[f"{name}, {temperature}"] = dict(outcomes)
                add_events(home, shop, draw, 100)
                home.fit(shop.recipe)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = measure(options.requests, Path(folder))
    if options.json:
        print(json.dumps(results, indent=2))
        return
    print(f"{'':24}{'right':>8}{'short':>8}{'empty':>8}{'wrong':>8}")
    for name, outcomes in results.items():
        print(f"{name:24}" + "".join(f"{count:8}" for count in outcomes.values()))


if __name__ == "__main__":
    main()
