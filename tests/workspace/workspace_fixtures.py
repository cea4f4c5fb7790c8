"""A small shop: lamps and mugs, people who like one or the other, a recipe that fits in no time."""

import json

import plait
from plait.data.types import Event
from plait.eventlog import EventLog
from plait.pipeline.recipe import Recipe
from plait.utils.timestamps import DAY

LAMPS = [f"lamp{number}" for number in range(10)]
MUGS = [f"mug{number}" for number in range(10)]
COLOURS = ["red", "blue", "green", "white", "black"]
START = 1_600_000_000_000_000

RECIPE = Recipe.of(
    {
        "name": "toy",
        "candidates_per_model": 30,
        "event_weights": {"view": 1.0, "buy": 2.0, "hide": -1.0},
        "models": {"popular": {}, "neighbours": {}, "lexical": {}},
        "steps": {"fuse": {}, "rules": {}, "policy": {}, "explain": {}},
    }
)


def item_events():
    for place, item in enumerate([*LAMPS, *MUGS]):
        kind = "lamp" if item in LAMPS else "mug"
        fields = {
            "title": f"{COLOURS[place % 5]} {kind} number {place % 10}",
            "category": f"{kind}s",
            "price": 5 + place,
        }
        yield Event("item", f"i{item}", "put", item=item, fields=json.dumps(fields))


def click_events(people=40):
    """Even people look at lamps, odd people at mugs; four items each, in order."""
    for person in range(people):
        shelf = LAMPS if person % 2 == 0 else MUGS
        for step in range(4):
            item = shelf[(person // 2 + step) % 10]
            time = START + (person + step) * DAY // 4
            yield Event("interaction", f"c{person}-{step}", "view", f"user{person}", item, time)


def fill(home):
    """Write the shop's log."""
    with EventLog.open(home) as log:
        log.append([*item_events(), *click_events()])


def fitted(home, **settings):
    """An open, fitted shop."""
    fill(home)
    shop = plait.open(home, **settings)
    shop.fit(RECIPE)
    return shop
