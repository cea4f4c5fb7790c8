"""What an event may say is the same whether it comes in a file or in a request."""

import json
import time
from datetime import UTC, datetime

import pytest

import plait.workspace
from plait.data.types import Event
from plait.errors import InputError, NotFoundError
from plait.eventlog import EventLog
from plait.schema.event_bounds import EARLIEST_TIME, MAX_ID_LENGTH, id_problem, is_plausible_time

NOW = int(time.time())
DAY = 86_400
GOOD = {"id": "e", "kind": "view", "user": "u", "item": "i", "time": "2026-01-02T03:04:05Z"}

CHANGES = [
    {},
    {"time": "0001-01-01T00:00:00Z"},
    {"time": "1899-12-31T23:59:59Z"},
    {"time": "1900-01-01T00:00:00Z"},
    {"time": datetime.fromtimestamp(NOW + DAY - 60, UTC).isoformat()},
    {"time": datetime.fromtimestamp(NOW + DAY + 3600, UTC).isoformat()},
    {"time": "9999-12-31T23:59:59Z"},
    {"value": 1e39},
    {"value": 3e38},
    *({name: text} for name in ("id", "user", "item", "request_id") for text in (
        *("a\nb", "a\tb", "a\x00b", "a\x1fb", "a\x7fb", "a\x85b", "a\x9fb"),
        *("a\u202eb", "a b", "😀", "x" * MAX_ID_LENGTH, "x" * (MAX_ID_LENGTH + 1)),
    )),
    {"user": " "},
    {"kind": "a\x1fb"},
    {"kind": "k" * 128},
    {"kind": "k" * 129},
]  # fmt: skip


@pytest.fixture(scope="module")
def shops(tmp_path_factory):
    """One that is posted to, one that reads files."""
    with (
        plait.workspace.open(tmp_path_factory.mktemp("posted")) as posted,
        plait.workspace.open(tmp_path_factory.mktemp("read")) as read,
    ):
        yield posted, read


@pytest.mark.parametrize("change", CHANGES, ids=range(len(CHANGES)))  # a name holds no clock
def test_files_and_requests_agree(shops, tmp_path, change):
    posted, read = shops
    row = {**GOOD, "id": f"e{CHANGES.index(change)}", **change}
    _, statuses = posted.post([row])
    file = tmp_path / "events.jsonl"
    file.write_text(json.dumps(row) + "\n", encoding="utf-8")
    before = read.start().version
    read.ingest(events=file)
    taken = read.version > before
    assert statuses[0]["status"] == ("stored" if taken else "rejected"), statuses


def test_what_an_id_may_be():
    assert not id_problem("a") + id_problem("灯 1") + id_problem("x" * 512)
    for wrong in ("", " ", "\u3000", "a\n", "x" * 513):
        assert "1 to 512 characters" in id_problem(wrong)


def test_ids_that_look_alike_are_different_ids(shops):
    posted, _ = shops
    alike = ("caf\u00e9", "cafe\u0301", "ca\u200bfe\u0301")
    rows = [{**GOOD, "id": f"alike-{n}", "item": item} for n, item in enumerate(alike)]
    _, statuses = posted.post(rows)
    assert [status["status"] for status in statuses] == ["stored"] * 3
    assert set(alike) <= set(posted.start().host.state().catalogue.ids)


def test_when_something_may_have_happened():
    assert is_plausible_time(EARLIEST_TIME, 0)
    assert not is_plausible_time(EARLIEST_TIME - 1, 0)
    assert is_plausible_time(DAY * 1_000_000, 0)
    assert not is_plausible_time(DAY * 1_000_000 + 1, 0)


def test_what_was_once_stored_can_be_taken_away(tmp_path):
    with EventLog.open(tmp_path) as log:
        log.append([Event("item", "i", "put", item="a\nb", time=1, fields='{"title":"old"}')])
        log.append([Event("user", "u", "put", user="a\nb", time=1, fields='{"age":1}')])
    with plait.workspace.open(tmp_path) as shop:
        assert shop.get_item("a\nb")["fields"] == {"title": "old"}
        for refused in (shop.put_item, shop.patch_item, shop.put_user):
            with pytest.raises(InputError, match="control character"):
                refused("a\nb", {"title": "new"})
        shop.delete_item("a\nb")
        shop.erase_user("a\nb")
        for gone in (shop.get_item, shop.get_user):
            with pytest.raises(NotFoundError):
                gone("a\nb")
