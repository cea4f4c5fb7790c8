"""Rows of an erased user are refused until consent is given again."""

from __future__ import annotations

import json
import sqlite3
import time

import pytest

import plait
from plait.data.types import Event
from plait.errors import InputError
from plait.eventlog import EventLog
from plait.privacy.erasure_hashes import erasure_hash, key_mark
from plait.utils.timestamps import DAY

KEY = b"a key of at least sixteen bytes"
NOW = time.time_ns() // 1000


def key_source(_make):
    return KEY


@pytest.fixture
def log(log_location):
    with EventLog.open(log_location, erasure_key=key_source) as opened:
        yield opened


def click(name, user="anna", item="mug"):
    return Event("interaction", name, "view", user, item, NOW)


def described(name, fields, user="anna", at=None):
    return Event("user", name, "put", user, time=at, fields=json.dumps(fields))


def statuses(result):
    return [row.status for row in result.rows]


def test_rows_of_an_erased_user_are_refused_and_others_stored(log):
    log.append([click("a"), click("b", "bob")])
    log.erase("anna")
    result = log.append([click("a"), click("b", "bob"), click("c"), click("d", "carl")])
    assert statuses(result) == ["rejected", "duplicate", "rejected", "stored"]
    refused = result.rows[0]
    assert refused.field == "user"
    assert refused.fault is not None
    assert "anna" not in refused.error + str(refused.fault.value)
    assert log.numbers("user", ["anna", "carl"]).keys() == {"carl"}


def test_the_log_keeps_a_keyed_hash_and_no_id(log):
    log.append([click("a")])
    log.erase("anna")
    with log._store.reading() as connection:
        rows = list(log._store.rows(connection, "SELECT fields FROM events WHERE type = 4"))
    assert [json.loads(row[0]) for row in rows] == [
        {"hash": erasure_hash(KEY, "anna"), "key": key_mark(KEY)}
    ]


def test_consent_starts_a_new_person(log):
    log.append([click("a"), described("u", {"consent": True})])
    before = log.numbers("user", ["anna"])["anna"]
    log.erase("anna")
    no_consent = [described("v", {"city": "Ulm"}), described("w", {"consent": "no"})]
    assert statuses(log.append(no_consent)) == ["rejected"] * 2
    again = [click("x"), described("y", {"consent": "yes"}), click("z")]
    assert statuses(log.append(again)) == ["rejected", "stored", "stored"]
    assert statuses(log.append([click("a")])) == ["stored"]
    assert log.numbers("user", ["anna"])["anna"] > before
    log.erase("anna")
    assert statuses(log.append([click("q")])) == ["rejected"]


def test_consent_from_before_the_erasure_does_not_count(log):
    log.append([click("a")])
    log.erase("anna")
    old = described("u", {"consent": True}, at=NOW - DAY)
    new = described("v", {"consent": True}, at=time.time_ns() // 1000 + 1)
    assert statuses(log.append([old, new])) == ["rejected", "stored"]


def test_an_erasure_within_a_batch_counts_from_there(log):
    batch = [click("a"), Event("erase", "e", user="anna", time=NOW), click("b")]
    assert statuses(log.append(batch)) == ["stored", "stored", "rejected"]


def test_an_erasure_by_another_process_counts_at_once(log, log_location):
    with EventLog.open(log_location, erasure_key=key_source) as other:
        assert statuses(log.append([click("a")])) == ["stored"]
        other.erase("anna")
        assert statuses(log.append([click("b")])) == ["rejected"]
        assert statuses(other.append([click("b")])) == ["rejected"]
    with EventLog.open(log_location, erasure_key=key_source) as later:
        assert statuses(later.append([click("b"), click("c", "carl")])) == ["rejected", "stored"]


def test_a_home_with_another_key_refuses_whom_it_cannot_tell(log, log_location):
    log.append([click("a"), click("b", "bob")])
    log.erase("anna")
    for other_key in (b"", b"another key of sixteen bytes"):
        with EventLog.open(log_location, erasure_key=lambda _make, key=other_key: key) as other:
            rows = other.append([click("c"), click("d", "carl"), click("e", "bob")])
        assert [row.status for row in rows.rows][:2] == ["rejected"] * 2
        assert rows.rows[2].status in ("stored", "duplicate")
        assert "erasure.key" in rows.rows[0].error


def test_erasures_of_earlier_versions_refuse_nobody(log, log_location):
    with EventLog.open(log_location) as old:
        old.append([click("a")])
        old.erase("anna")
    assert statuses(log.append([click("b")])) == ["stored"]


@pytest.mark.parametrize("pseudonyms", [False, True])
def test_imports_and_posts_refuse_an_erased_user(tmp_path, pseudonyms):
    rows = [
        {"user": user, "item": item, "kind": "view", "time": NOW / 1e6}
        for user, item in (("anna", "mug"), ("anna", "pot"), ("bob", "mug"))
    ]
    home = tmp_path / "home"
    with plait.open(home, pseudonyms=pseudonyms) as shop:
        shop.ingest(events=rows, users=[{"user": "anna", "city": "Ulm"}])
        shop.erase_user("anna")
    with plait.open(home, pseudonyms=pseudonyms) as shop:
        report = shop.ingest(events=rows, users=[{"user": "anna", "city": "Ulm"}])
        events, users = report.by_kind["events"], report.by_kind["users"]
        assert (events.stored, events.duplicate, events.rejected) == (0, 1, 2)
        assert (users.stored, users.rejected) == (0, 1)
        assert events.problems[0].field == "user"
        assert "consent" in events.problems[0].expected
        assert shop.post(rows[:1])[1][0]["status"] == "rejected"
        with pytest.raises(InputError) as error:
            shop.put_user("anna", {"city": "Ulm"})
        assert error.value.field == "user"
        assert shop.info()["users"] == 1
        for path in home.rglob("*"):  # also not in the report of refused rows
            assert path.is_dir() or b"anna" not in path.read_bytes(), path
        shop.put_user("anna", {"consent": True})
        assert shop.ingest(events=rows).by_kind["events"].stored == 2
        assert shop.get_user("anna")["fields"]["consent"]


def test_the_key_lies_in_the_home_for_its_owner_alone(tmp_path):
    with plait.open(tmp_path) as shop:
        shop.post([{"user": "anna", "item": "mug", "kind": "view"}])
        assert not (tmp_path / "erasure.key").exists()
        shop.erase_user("anna")
    assert (tmp_path / "erasure.key").stat().st_mode & 0o777 == 0o600
    with sqlite3.connect(tmp_path / "plait.db") as connection:
        text = connection.execute("SELECT fields FROM events WHERE type = 4").fetchone()[0]
    assert (tmp_path / "erasure.key").read_text().strip() not in text


def test_the_key_may_be_a_setting(tmp_path):
    with plait.open(tmp_path, erasure_key="a setting of sixteen bytes") as shop:
        shop.post([{"user": "anna", "item": "mug", "kind": "view"}])
        shop.erase_user("anna")
        assert not (tmp_path / "erasure.key").exists()
    with plait.open(tmp_path, erasure_key="short") as shop, pytest.raises(InputError) as error:
        shop.post([{"user": "anna", "item": "mug", "kind": "view"}])
    assert error.value.field == "erasure_key"
