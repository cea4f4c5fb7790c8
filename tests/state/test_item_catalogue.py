"""The items of a log, read without its interactions, are those of the live state."""

import json

import numpy as np

from plait.data.types import Event
from plait.eventlog import EventLog
from plait.ranking.sellable_summary import describe_sellable, describes_sale
from plait.state import LiveState
from plait.state.catalogue_updates import item_catalogue


def item(number, kind, item_id, **fields):
    return Event("item", f"e{number}", kind, item=item_id, fields=json.dumps(fields) or None)


def test_the_items_are_those_of_the_live_state(tmp_path):
    with EventLog.open(tmp_path) as log:
        log.append(
            [
                Event("interaction", "v1", "view", "anna", "POSTAGE", 1),
                item(1, "put", "mug", title="Red mug", stock=3, tags=["a", "b"]),
                item(2, "put", "pot", title="Tea pot", stock=0),
                item(3, "patch", "mug", stock=0),
                item(4, "put", "vase", title="Vase"),
                item(5, "delete", "vase"),
                Event("interaction", "v2", "view", "anna", "mug", 2),
            ]
        )
        own, live = item_catalogue(log), LiveState.replay(log).catalogue
    assert list(own.ids) == list(live.ids)
    for name in ("alive", "changed", "described", "tiebreak"):
        assert np.array_equal(getattr(own, name), getattr(live, name)), name
    assert own.types() == live.types()
    assert [own.fields(number) for number in range(len(own))] == [
        live.fields(number) for number in range(len(live))
    ]
    assert own.catalogued().tolist() == [False, True, True, True]


def test_an_empty_log_has_no_items(tmp_path):
    with EventLog.open(tmp_path) as log:
        assert len(item_catalogue(log)) == 0


def test_the_fields_that_are_read_are_enough_to_describe_what_is_sold(tmp_path):
    with EventLog.open(tmp_path) as log:
        log.append(
            [
                Event("interaction", "v1", "view", "anna", "POSTAGE", 1),
                item(
                    1, "put", "red", title="Red mug", inStock="yes", Parent="mug", status="sold out"
                ),
                item(2, "put", "blue", title="Blue mug", inStock="no", Parent="mug"),
                item(3, "put", "old", title="Pot", inStock="yes", available_until="2001-02-03"),
            ]
        )
        part, whole = item_catalogue(log, describes_sale), item_catalogue(log)
    assert set(whole.columns) - set(part.columns) == {"title"}
    assert describe_sellable(part) == describe_sellable(whole)
    assert describe_sellable(part).n_unavailable == 3
    assert describe_sellable(part).group_field == "Parent"
