"""A little shop of lamps and mugs with a known right answer, and the server over it."""

import contextlib
import os
import threading
import time

import httpx

import plait.workspace
from plait.pipeline.recipe import Recipe
from plait.server.server import bound
from plait.server.signals import Signals
from plait.server.worker import work
from plait.settings import Settings
from plait.utils.timestamps import DAY

KEY, READ, INGEST = "key-of-the-owner", "key-of-a-reader-", "key-of-a-writer-"
NOW = time.time_ns() // 1000

RECIPE = Recipe.of(
    {
        "name": "toy",
        "models": {name: {} for name in ("popular", "neighbours", "content", "lexical")},
        "steps": {name: {} for name in ("fuse", "rules", "policy", "explain")},
    }
)
LAMPS = [f"lamp-{n}" for n in range(8)]
MUGS = [f"mug-{n}" for n in range(8)]


def interactions():
    """Twelve people buy lamps, twelve buy mugs, each five of them in turn; nobody buys both."""
    for person in range(24):
        liked = LAMPS if person < 12 else MUGS
        for step in range(5):
            yield {
                "id": f"e-{person}-{step}",
                "kind": "purchase",
                "user": f"person-{person}",
                "item": liked[(person + step) % 8],
                "time": (NOW - (30 - step) * DAY) / 1e6,
            }


def described():
    colours = ["red", "green", "blue", "white", "black", "yellow", "pink", "brown"]
    for kind, ids in (("lamp", LAMPS), ("mug", MUGS)):
        for colour, name in zip(colours, ids, strict=True):
            yield (
                name,
                {
                    "title": f"{colour} {kind}",
                    "category": f"{kind}s",
                    "price": 19.5 if kind == "lamp" else 9.5,
                },
            )


def make_home(home, **settings):
    """Fill and fit `home`."""
    shop = plait.workspace.open(home, **settings)
    try:
        for name, fields in described():
            shop.put_item(name, fields)
        _, rows = shop.post(list(interactions()))
        assert {row["status"] for row in rows} == {"stored"}
        shop.fit(RECIPE)
    finally:
        shop.close()


@contextlib.contextmanager
def served(home, **settings_values):
    """A client of the real server on a free port; the server runs in a thread of this process."""
    keys = {"key": KEY, "read_keys": (READ,), "ingest_keys": (INGEST,)}
    settings = Settings(**{"home": home, **keys, **settings_values})
    listener = bound("127.0.0.1", 0)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    lifeline, hold = os.pipe()
    statuses = []
    serving = (settings, listener, Signals(), lifeline)
    thread = threading.Thread(target=lambda: statuses.append(work(*serving)))
    thread.start()
    try:
        with httpx.Client(base_url=address, headers=bearer(KEY), timeout=30) as client:
            yield client
    finally:
        os.close(hold)
        thread.join(60)
        os.close(lifeline)
    assert statuses == [0]


def bearer(key):
    return {"authorization": f"Bearer {key}"}


def ids(answer):
    return [name["id"] for name in answer.json()["items"]]
