"""What the log guarantees, on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.data.catalogue import NO_TIME
from plait.data.types import Event
from plait.eventlog import TYPES, EventChunk, EventLog, append, event_id_index
from plait.eventlog.tables import RUN_BITS

T = 1_700_000_000_000_000
TOO_LATE = 253_402_300_800_000_000  # the year 10000


def click(number: int, user: str = "u", item: str = "i", **more: object) -> Event:
    return Event("interaction", f"e{number}", "view", user, item, T + number, **more)  # type: ignore[arg-type]


def statuses(log: EventLog, *events: Event) -> list[str]:
    return [row.status for row in log.append(events).rows]


def read_all(log: EventLog, **options: int) -> EventChunk:
    (chunk,) = log.read(**options)
    return chunk


def test_an_empty_log(log: EventLog) -> None:
    assert log.version == 0
    assert not log.changed()
    assert list(log.read()) == []
    assert log.item_ids() == log.user_ids() == log.kinds() == []
    assert log.append([]) == (0, [], None)


def test_offsets_and_numbers_are_given_in_order(log: EventLog) -> None:
    result = log.append([click(1, "ann", "cup"), click(2, "bob", "cup"), click(3, "ann", "pot")])
    assert result.version == 3
    assert [row.status for row in result.rows] == ["stored"] * 3
    assert log.append([click(4, "cyd", "jug")]).version == 4
    chunk = read_all(log)
    assert chunk.offsets.tolist() == [1, 2, 3, 4]
    assert chunk.users.tolist() == [0, 1, 0, 2]
    assert chunk.items.tolist() == [0, 0, 1, 2]
    assert (log.user_ids(), log.item_ids()) == (["ann", "bob", "cyd"], ["cup", "pot", "jug"])
    assert log.item_ids(2) == ["jug"]
    assert log.kinds() == ["view"]


def test_read_returns_every_column(log: EventLog) -> None:
    event = Event(
        "interaction", "e", "rating", "u", "i", T, 7, 4.5, "r", fields='{"device":"phone"}'
    )
    log.append([event, Event("interaction", "f", "view", "u", "i")])
    chunk = read_all(log)
    assert chunk.times.tolist() == [T, NO_TIME]
    assert chunk.positions.tolist() == [7, NO_TIME]
    assert chunk.values[0] == 4.5
    assert np.isnan(chunk.values[1])
    assert chunk.fields == ['{"device":"phone"}', None]
    assert [TYPES[code] for code in chunk.types] == ["interaction", "interaction"]
    dtypes = [getattr(chunk, name).dtype for name in EventChunk.__slots__[:-1]]
    assert list(map(str, dtypes)) == [
        *("int64", "int8", "int16", "int32", "int32", "int64", "int64", "float32")
    ]


def test_the_same_event_again_is_a_duplicate_and_other_content_a_conflict(log: EventLog) -> None:
    assert statuses(log, click(1)) == ["stored"]
    assert statuses(log, click(1), click(1, "other"), click(2)) == [
        "duplicate",
        "conflict",
        "stored",
    ]
    assert statuses(log, click(3), click(3), click(3, item="other")) == [
        "stored",
        "duplicate",
        "conflict",
    ]
    assert log.version == 3
    assert log.user_ids() == ["u"]


def test_none_and_texts_that_look_like_it_are_different_content(log: EventLog) -> None:
    first = Event("interaction", "e", "view", "u", "i", request_id=None)
    assert statuses(log, first) == ["stored"]
    for other in ("", "None", "null"):
        assert statuses(log, first._replace(request_id=other)) == ["conflict"]


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (Event("interaction", "", "view", "u", "i"), "id"),
        (Event("interaction", "e" * 513, "view", "u", "i"), "id"),
        (Event("interaction", "e", "", "u", "i"), "kind"),
        (Event("interaction", "e", "view", None, "i"), "user"),
        (Event("interaction", "e", "view", "u", None), "item"),
        (Event("interaction", "e", "view", "", "i"), "user"),
        (Event("interaction", "e", "view", "u" * 10_000, "i"), "user"),
        (Event("interaction", "e", "view", "u", "i", time=TOO_LATE), "time"),
        (Event("interaction", "e", "view", "u", "i", time=1.5), ""),  # type: ignore[arg-type]
        (Event("interaction", "e", "view", "u", "i", position="1"), ""),  # type: ignore[arg-type]
        (Event("interaction", "e", None, "u", "i"), ""),  # type: ignore[arg-type]
        (Event("erase", "e", user=17), ""),  # type: ignore[arg-type]
        (Event("interaction", "e", "view", "u", "i", time=-(10**18)), "time"),
        (Event("interaction", "e", "view", "u", "i", value=float("nan")), "value"),
        (Event("interaction", "e", "view", "u", "i", value=float("inf")), "value"),
        (Event("interaction", "e", "view", "u", "i", position=1 << 63), "position"),
        (Event("interaction", "e", "view", "u\0", "i"), ""),
        (Event("interaction", "e", "view", "\ud800", "i"), ""),
        (Event("interaction", "e", "view", "u", "i", fields="no json"), "fields"),
        (Event("item", "e", "put"), "item"),
        (Event("item", "e", "eat", item="i"), "kind"),
        (Event("user", "e", "put"), "user"),
        (Event("fact", "e", "brand", item="i"), "tail"),
        (Event("fact", "e", "", item="i", fields='{"tail":"x"}'), "kind"),
        (Event("erase", "e"), "user"),
        (Event("interaction", 17, "view", "u", "i"), ""),  # type: ignore[arg-type]
        (Event("interaction", "e", "view", 17, "i"), ""),  # type: ignore[arg-type]
        (Event("interaction", "e", "view", "u", "i", value=1e300), "value"),
        (Event("party", "e"), "type"),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_a_rejected_event_names_its_field(log: EventLog, event: Event, field: str) -> None:
    bad, good = log.append([event, click(1)]).rows
    assert (bad.status, bad.field) == ("rejected", field)
    assert bad.error.startswith("expected ")
    assert good.status == "stored"
    assert log.version == 1


def test_ids_may_contain_any_text(log: EventLog) -> None:
    ids = [
        "😀",
        "مرحبا",
        "a b\tc",
        "x" * 512,
        "'; DROP TABLE events; --",
        '{"a":1}',
        "?",
        "%s",
        "\\N",
    ]
    events = [Event("interaction", text, text[:100], text, text) for text in ids]
    assert statuses(log, *events) == ["stored"] * len(ids)
    assert statuses(log, *events) == ["duplicate"] * len(ids)
    assert log.item_ids() == log.user_ids() == ids


def test_fields_keep_the_type_they_were_first_seen_with(log: EventLog) -> None:
    cup = Event("item", "a", "put", item="cup", fields='{"price":3}')
    assert statuses(log, cup) == ["stored"]
    row = log.append([Event("item", "b", "put", item="pot", fields='{"price":"much"}')]).rows[0]
    assert (row.status, row.field) == ("stored", "")
    assert [(lost.field, lost.expected) for lost in row.lost] == [("price", "a number")]
    assert dict(log.schema().types) == {("item", "price"): "number"}
    assert log.item_ids() == ["cup", "pot"]


def test_two_logs_of_one_database_see_each_other(log_location: str) -> None:
    with EventLog.open(log_location) as first, EventLog.open(log_location) as second:
        first.append([click(1, "ann", "cup")])
        assert statuses(second, click(1, "ann", "cup"), click(2, "bob", "cup")) == [
            "duplicate",
            "stored",
        ]
        first.append([Event("item", "p", "put", item="pot", fields='{"price":3}')])
        bad = Event("item", "q", "put", item="pot", fields='{"price":"x"}')
        assert [lost.field for lost in second.append([bad]).rows[0].lost] == ["price"]
        second.append([click(3, "cyd", "cup")])
        first.append([click(4, "cyd", "jug")])
        assert read_all(first).users.tolist() == [0, 1, -1, -1, 2, 2]
        assert first.user_ids() == ["ann", "bob", "cyd"]
        assert first.item_ids() == ["cup", "pot", "jug"]


def test_a_triple_gives_its_head_no_item_number(log: EventLog) -> None:
    log.append([Event("fact", "f", "brand", item="cup", fields='{"tail":"acme"}')])
    assert log.item_ids() == []
    chunk = read_all(log)
    assert chunk.fields == ['{"head":"cup","tail":"acme"}']
    assert chunk.items.tolist() == [-1]


def test_changed_reports_events_once_or_after_an_offset(log_location: str) -> None:
    with EventLog.open(log_location) as first, EventLog.open(log_location) as second:
        assert not second.changed()
        first.append([click(1)])
        assert second.changed()
        assert not second.changed()
        assert second.changed(0)
        assert not second.changed(1)
        assert first.changed(0)
        second.append([click(1)])
        assert not second.changed()


def equal(first: EventChunk, second: EventChunk) -> bool:
    """Whether two chunks have equal columns of equal types."""
    columns = EventChunk.__slots__[:-1]
    for name in columns:
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    same_types = all(getattr(first, name).dtype == getattr(second, name).dtype for name in columns)
    return same_types and first.fields == second.fields


def test_append_returns_the_chunk_that_reading_gives(log: EventLog) -> None:
    batches = [
        [click(1), click(1), click(2, "bob", "pot", value=2.5, position=3, request_id="r")],
        [
            Event("item", "p", "put", item="cup", fields='{"b":1,"a":"x"}'),
            Event("user", "q", "patch", user="ann", fields='{"age":3}'),
            Event("fact", "f", "brand", item="cup", fields='{"tail":"acme"}'),
            Event("interaction", "e", "view", "u", "i", value=0.1, fields='{"device":"phone"}'),
            Event("erase", "nobody", user="unknown"),
        ],
    ]
    version = 0
    for batch in batches:
        result = log.append(batch)
        assert result.chunk is not None
        assert result.chunk.offsets.tolist() == list(range(version + 1, result.version + 1))
        assert equal(result.chunk, read_all(log, after=version))
        version = result.version


def test_append_returns_no_chunk_where_stored_rows_were_overwritten(log: EventLog) -> None:
    assert log.append([click(1), Event("erase", "x", user="u"), click(2)]).chunk is None
    assert log.append([click(2)]).chunk is None  # nothing was stored


def test_append_returns_no_chunk_for_a_large_batch(
    log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(append, "MAX_RETURNED_ROWS", 2)
    assert log.append([click(1), click(2)]).chunk is not None
    assert log.append([click(3), click(4), click(5)]).chunk is None


def test_read_in_chunks(log: EventLog) -> None:
    log.append([click(number) for number in range(10)])
    assert [len(chunk) for chunk in log.read(chunk=4)] == [4, 4, 2]
    assert [chunk.offsets.tolist() for chunk in log.read(3, 6)] == [[4, 5, 6]]
    assert [len(chunk) for chunk in log.read(8, 99)] == [2]
    assert list(log.read(10)) == []


@pytest.mark.parametrize("large", [10_000, 1])
def test_ids_are_found_across_the_runs_of_their_index(
    log: EventLog, large: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of the index of ids has 2**20 offsets; here a batch lies on the border of two."""
    monkeypatch.setattr(event_id_index, "LARGE", large)
    with log._store.writing() as connection:
        connection.exec_driver_sql(f"UPDATE head SET seq = {2**RUN_BITS - 4}")
    assert log.append([click(number) for number in range(8)]).version == 2**RUN_BITS + 4
    log.append([click(number) for number in range(8, 12)])
    assert statuses(log, *(click(number) for number in range(13))) == ["duplicate"] * 12 + [
        "stored"
    ]
    assert statuses(log, click(2, "other"), click(6, "other")) == ["conflict"] * 2
    with log._store.reading() as connection:
        rows = list(log._store.rows(connection, "SELECT DISTINCT run FROM event_ids ORDER BY 1"))
        assert [row[0] for row in rows] == [0, 1]
    log.erase("u")
    with log._store.reading() as connection:
        rows = list(log._store.rows(connection, "SELECT seq FROM event_ids"))
        assert [row[0] for row in rows] == [log.version]
    assert statuses(log, click(1), click(9), click(12)) == ["stored"] * 3


def test_threads_can_append_at_once(log: EventLog) -> None:
    def work(thread: int) -> None:
        for number in range(5):
            log.append([click(1000 * thread + number, f"u{thread}", f"i{number}")])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    chunk = read_all(log)
    assert chunk.offsets.tolist() == list(range(1, 41))
    assert sorted(log.user_ids()) == [f"u{thread}" for thread in range(8)]
    assert sorted(log.item_ids()) == [f"i{number}" for number in range(5)]


def test_a_follower_sees_all_offsets_in_order_while_others_write(log_location: str) -> None:
    """A follower never has to go back."""
    finished = threading.Event()

    def write(name: str) -> None:
        with EventLog.open(log_location) as writer:
            for number in range(25):
                writer.append([Event("interaction", f"{name}{number}", "view", name, "i")])

    seen: list[int] = []
    with EventLog.open(log_location) as log, ThreadPoolExecutor(5) as pool:

        def follow() -> None:
            while not finished.is_set() or log.version > len(seen):
                for chunk in log.read(len(seen)):
                    seen.extend(chunk.offsets.tolist())

        following = pool.submit(follow)
        list(pool.map(write, "abcd"))
        finished.set()
        following.result()
    assert seen == list(range(1, 101))


_ids = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=6)
_events = st.builds(
    Event,
    record_type=st.just("interaction"),
    id=_ids,
    event_type=st.sampled_from(["view", "buy"]),
    user=_ids,
    item=_ids,
    time=st.one_of(st.none(), st.integers(-(10**16), 10**15)),
    position=st.one_of(st.none(), st.integers(-(2**62), 2**62)),
    request_id=st.none(),
    fields=st.none(),
    value=st.one_of(st.none(), st.floats(width=32)),
)


@settings(max_examples=30)
@given(batches=st.lists(st.lists(_events, max_size=8), max_size=4))
def test_appending_a_batch_again_changes_nothing(log: EventLog, batches: list[list[Event]]) -> None:
    for batch in batches:
        log.append(batch)
        before = log.version
        again = log.append(batch)
        assert again.version == before
        assert {row.status for row in again.rows} <= {"duplicate", "conflict", "rejected"}
    users, items = log.user_ids(), log.item_ids()
    assert len(set(users)) == len(users)
    assert len(set(items)) == len(items)
    offsets = [offset for chunk in log.read() for offset in chunk.offsets]
    assert offsets == list(range(1, log.version + 1))
