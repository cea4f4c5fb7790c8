"""An erased user is gone from everything that the log returns, and from the bytes of its files."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from plait.data.types import Event
from plait.errors import NotFoundError
from plait.eventlog import TYPES, EventLog, Impression

T = 1_700_000_000_000_000


def click(name: str, user: str, item: str = "i", **more: object) -> Event:
    return Event("interaction", name, "view", user, item, T, **more)  # type: ignore[arg-type]


def record_types(log: EventLog) -> list[str]:
    return [TYPES[code] for chunk in log.read() for code in chunk.types]


def test_erase_overwrites_the_rows_of_the_user_and_no_others(log: EventLog) -> None:
    log.append([click("a", "ann"), click("b", "bob", "j"), click("c", "ann", "k", value=3.0)])
    log.append([Event("user", "d", "put", user="ann", fields='{"city":"Rome"}')])
    assert log.erase("ann") == 5
    (chunk,) = log.read()
    assert record_types(log) == ["erased", "interaction", "erased", "erased", "erase"]
    assert chunk.users.tolist() == [-1, 1, -1, -1, 0]
    assert chunk.items.tolist() == [-1, 1, -1, -1, -1]
    assert chunk.fields == [None] * 5
    assert log.user_ids() == ["", "bob"]
    assert log.item_ids() == ["i", "j", "k"]


def test_the_number_of_an_erased_user_is_never_reused(log: EventLog) -> None:
    log.append([click("a", "ann"), click("b", "bob")])
    log.erase("ann")
    log.append([click("c", "ann"), click("d", "bob")])
    (chunk,) = log.read()
    assert chunk.users.tolist() == [-1, 1, 0, 2, 1]
    assert log.user_ids() == ["", "bob", "ann"]
    log.erase("ann")
    assert log.user_ids() == ["", "bob", ""]


def test_erasing_an_unknown_user(log: EventLog) -> None:
    with pytest.raises(NotFoundError):
        log.erase("ann")
    assert [row.status for row in log.append([Event("erase", "x", user="ann")]).rows] == ["stored"]
    assert record_types(log) == ["erase"]


def test_an_erase_event_within_a_batch_ends_the_number_of_the_user(log: EventLog) -> None:
    batch = [
        click("a", "ann"),
        Event("erase", "x", user="ann"),
        click("b", "ann"),
        click("c", "bo"),
    ]
    assert [row.status for row in log.append(batch).rows] == ["stored"] * 4
    (chunk,) = log.read()
    assert record_types(log) == ["erased", "erase", "interaction", "interaction"]
    assert chunk.users.tolist() == [-1, 0, 1, 2]
    assert log.user_ids() == ["", "ann", "bo"]


def test_an_erase_is_safe_to_retry(log: EventLog) -> None:
    log.append([click("a", "ann"), click("b", "bob")])
    request = Event("erase", "request-1", user="ann")
    assert log.append([request]).rows[0].status == "stored"
    log.append([click("c", "ann")])
    assert log.append([request]).rows[0].status == "duplicate"
    assert log.append([request._replace(user="bob")]).rows[0].status == "conflict"
    assert log.user_ids() == ["", "bob", "ann"]


def test_another_process_notices_an_erasure(log_location: str) -> None:
    with EventLog.open(log_location) as first, EventLog.open(log_location) as second:
        first.append([click("a", "ann")])
        second.append([click("b", "ann")])
        first.erase("ann")
        second.append([click("c", "ann")])
        assert second.user_ids() == ["", "ann"]
        assert [chunk.users.tolist() for chunk in second.read()] == [[-1, -1, 0, 1]]


def test_impressions_of_an_erased_user_are_deleted_and_later_ones_refused(log: EventLog) -> None:
    log.append([click("a", "ann"), click("b", "bob")])
    impressions = [
        Impression(f"r{user}", T, user, "recommend", "b", 2, "{}") for user in (0, 1, -1)
    ]
    log.add_impressions(impressions)
    log.erase("ann")
    assert log.impression("r0") is None
    assert log.impression("r1") == impressions[1]
    assert log.impression("r-1") == impressions[2]
    log.add_impressions([Impression("late", T, 0, "recommend", "b", 2, "{}")])
    assert log.impression("late") is None


def test_a_user_with_more_rows_than_one_batch_is_erased(log: EventLog) -> None:
    events = [click(f"e{n}", "ann" if n % 2 else f"u{n % 50}", f"i{n % 9}") for n in range(45_000)]
    log.append(events)
    log.erase("ann")
    assert record_types(log).count("erased") == 22_500
    log.append([click("z", "ann")])
    assert log.append(events[:4:2]).rows[0].status == "duplicate"


def test_no_bytes_of_erased_users_remain_in_the_files(home: Path) -> None:
    """Hundreds of users of all lengths, erased one by one and in batches, in random order."""
    rng = random.Random(7)
    users = [f"secret{n:04d}" + "x" * rng.randrange(60) for n in range(600)]
    with EventLog.open(home) as log:
        for start in range(0, 600, 100):
            present = users[: start + 100]
            log.append(
                [
                    Event(
                        "interaction", f"{user}/{start}/{n}", "view", user, f"i{n}", T,
                        request_id=f"req-{user}" if n else None,
                        fields=f'{{"note":"note-{user}"}}' if n == 2 else None,
                    )
                    for user in present
                    for n in range(3)
                ]
            )  # fmt: skip
            log.append(
                [
                    Event("user", f"put/{user}/{start}", "put", user=user,
                          fields=f'{{"mail":"{user}@{"y" * rng.choice([1, 300, 6000])}.org"}}')
                    for user in present[start:]
                ]
            )  # fmt: skip
        erased = rng.sample(users, 300)
        for user in erased[:20]:
            log.erase(user)
        log.append([Event("erase", f"please-{user}", user=user) for user in erased[20:]])
        data = b"".join(path.read_bytes() for path in home.iterdir())
        remaining = [user for user in erased if user[:10].encode() in data]
        assert remaining == []
        assert all(user.encode() in data for user in set(users) - set(erased))
