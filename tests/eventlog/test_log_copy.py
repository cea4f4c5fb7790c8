"""A copied log is the same log: offsets, numbers, impressions, erasures; or there is no copy."""

from __future__ import annotations

import sqlite3
import threading

import pytest

import plait
from plait.data.types import Event
from plait.errors import ConflictError, StorageError
from plait.eventlog import EventLog, log_copy
from plait.eventlog.log_copy import copy_log
from plait.utils.no_op_callbacks import ignore
from tests.cli.run_command import plait as command
from tests.workspace.workspace_fixtures import fitted

ODD = 'quote " backslash \\ tab \t line \n \\N 茶 é 🎈'


@pytest.fixture
def shop_home(tmp_path):
    """A home with events, clicks, an erased user, odd texts and impressions, and its answers."""
    home = tmp_path / "shop"
    with fitted(home) as workspace:
        workspace.put_item("odd", {"title": ODD, "price": 1.5, "tags": ["a\tb", "c"]})
        workspace.ingest(facts=[{"head": "odd", "relation": "made_by", "tail": ODD}])
        shown = workspace.recommend("user1")
        row = {"kind": "view", "user": ODD, "item": "odd", "value": 0.1, "fields": {"x": ODD}}
        workspace.post([{**row, "request_id": shown.request_id}])
        workspace.erase_user("user2")
    return home, shown


def rows_of(location):
    with EventLog.open(location) as log:
        chunks = list(log.read())
        events = [
            tuple(map(str, row))
            for chunk in chunks
            for row in zip(
                *(chunk.offsets, chunk.types, chunk.kinds, chunk.users, chunk.items),
                *(chunk.times, chunk.positions, chunk.values, chunk.fields),
                strict=True,
            )
        ]
        names = (log.item_ids(), log.user_ids(), log.kinds(), log.schema().types)
        return log.version, events, names, list(log.impressions())


def test_a_log_goes_to_postgresql_by_one_command(shop_home, new_database):
    home, shown = shop_home
    url = new_database()
    copied = command("copy-log", "--home", home, "--to", url)
    assert copied.returncode == 0, copied.stderr
    assert rows_of(url) == rows_of(home)
    with plait.open(home) as before, plait.open(home, database=url) as after:
        assert after.info()["problems"] == []
        assert after.recommend("user1").ids == before.recommend("user1").ids
        assert after.recommend("user1").bundle == shown.bundle
        assert [item["id"] for item in after.why(shown.request_id)["items"]] == shown.ids
        assert set(after.next(shown.request_id, k=3).ids).isdisjoint(shown.ids)
        assert after.info()["erased_users"] == 1
        row = {"kind": "view", "user": "user2", "item": "odd"}
        assert after.post([row])[1][0]["status"] == "rejected"  # the erased user stays erased
        version, statuses = after.post([{"kind": "view", "user": "new", "item": "odd"}])
        assert statuses[0]["status"] == "stored"
        assert version == before.version + 1
        repeated = after._log.append([Event("interaction", "c1-0", "view", "user1", "mug0", 1)])
        assert repeated.rows[0].status == "conflict"  # the index of ids was copied too


def test_a_log_comes_back_to_sqlite(shop_home, new_database, tmp_path):
    home, _ = shop_home
    url = new_database()
    copy_log(home, url, ignore)
    copy_log(url, tmp_path / "back", ignore)
    assert rows_of(tmp_path / "back") == rows_of(home)


@pytest.mark.parametrize("chunk", [1, 7, 20_000])
def test_the_size_of_the_chunks_does_not_matter(shop_home, new_database, monkeypatch, chunk):
    home, _ = shop_home
    monkeypatch.setattr(log_copy, "CHUNK", chunk)
    url = new_database()
    counts = copy_log(home, url, ignore)
    assert counts["events"] == rows_of(url)[0]


def test_a_target_that_holds_a_log_is_refused_and_untouched(shop_home, new_database):
    home, _ = shop_home
    url = new_database()
    with EventLog.open(url) as log:
        log.append([Event("interaction", "e", "view", "u", "i", 1_700_000_000_000_000)])
    before = rows_of(url)
    with pytest.raises(ConflictError) as error:
        copy_log(home, url, ignore)
    assert error.value.field == "to"
    assert rows_of(url) == before
    refused = command("copy-log", "--home", home, "--to", url)
    assert refused.returncode == 2
    assert "already holds a log" in refused.stderr


def test_a_failed_copy_leaves_an_empty_database(shop_home, new_database):
    home, _ = shop_home
    url = new_database()

    def fail(step, done, _total):
        if step == "copy users" and done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_log(home, url, fail)
    assert rows_of(url)[0] == 0
    assert copy_log(home, url, ignore)["events"] == rows_of(home)[0]


def test_a_copy_that_differs_is_refused(shop_home, new_database, monkeypatch):
    home, _ = shop_home
    url = new_database()
    monkeypatch.setattr(log_copy._TableDigest, "equals", lambda *_: False)
    with pytest.raises(StorageError):
        copy_log(home, url, ignore)
    monkeypatch.undo()
    assert rows_of(url)[0] == 0


def test_nothing_is_written_to_the_original_during_the_copy(shop_home, new_database):
    home, _ = shop_home
    url = new_database()
    version = rows_of(home)[0]
    results = []
    with EventLog.open(home) as log:
        late = Event("interaction", "late", "view", "u", "i", 1_700_000_000_000_000)
        writer = threading.Thread(target=lambda: results.append(log.append([late])))

        def write(step, *_):
            if step == "copy events":
                writer.start()

        copy_log(home, url, write)
        writer.join()
    assert rows_of(url)[0] == version
    assert results[0].version == version + 1


def test_a_home_without_a_log_is_not_made(tmp_path, new_database):
    with pytest.raises(StorageError):
        copy_log(tmp_path / "none", new_database(), ignore)
    assert command("copy-log", "--home", tmp_path / "none", "--to", "x").returncode == 2
    assert not (tmp_path / "none").exists()


def test_a_wrong_url_says_what_is_expected(shop_home):
    home, _ = shop_home
    refused = command("copy-log", "--home", home, "--to", "mysql://host/name")
    assert refused.returncode == 2
    assert "postgresql+psycopg://" in refused.stderr
    with sqlite3.connect(home / "plait.db") as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchone()[0] > 0
