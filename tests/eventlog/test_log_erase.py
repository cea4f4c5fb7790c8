"""An erased user is gone: from every answer of the log, and from the bytes of its files."""

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


def kinds_of(log: EventLog) -> list[str]:
    return [TYPES[code] for piece in log.read() for code in piece.types]


def test_rows_are_overwritten_in_place_and_the_others_stay(log: EventLog) -> None:
    log.append([click("a", "ann"), click("b", "bob", "j"), click("c", "ann", "k", value=3.0)])
    log.append([Event("user", "d", "put", user="ann", fields='{"city":"Rome"}')])
    assert log.erase("ann") == 5
    (found,) = log.read()
    assert kinds_of(log) == ["erased", "interaction", "erased", "erased", "erase"]
    assert found.users.tolist() == [-1, 1, -1, -1, 0]
    assert found.items.tolist() == [-1, 1, -1, -1, -1]
    assert found.fields == [None] * 5
    assert log.user_ids() == ["", "bob"]
    assert log.item_ids() == ["i", "j", "k"]


def test_the_number_is_never_reused(log: EventLog) -> None:
    log.append([click("a", "ann"), click("b", "bob")])
    log.erase("ann")
    log.append([click("c", "ann"), click("d", "bob")])
    (found,) = log.read()
    assert found.users.tolist() == [-1, 1, 0, 2, 1]
    assert log.user_ids() == ["", "bob", "ann"]
    log.erase("ann")
    assert log.user_ids() == ["", "bob", ""]


def test_nobody_to_erase(log: EventLog) -> None:
    with pytest.raises(NotFoundError):
        log.erase("ann")
    assert [row.status for row in log.append([Event("erase", "x", user="ann")]).rows] == ["stored"]
    assert kinds_of(log) == ["erase"]


def test_an_erase_in_the_middle_of_a_batch(log: EventLog) -> None:
    batch = [
        click("a", "ann"),
        Event("erase", "x", user="ann"),
        click("b", "ann"),
        click("c", "bo"),
    ]
    assert [row.status for row in log.append(batch).rows] == ["stored"] * 4
    (found,) = log.read()
    assert kinds_of(log) == ["erased", "erase", "interaction", "interaction"]
    assert found.users.tolist() == [-1, 0, 1, 2]
    assert log.user_ids() == ["", "ann", "bo"]


def test_an_erase_is_safe_to_retry(log: EventLog) -> None:
    log.append([click("a", "ann"), click("b", "bob")])
    request = Event("erase", "request-1", user="ann")
    assert log.append([request]).rows[0].status == "stored"
    log.append([click("c", "ann")])
    assert log.append([request]).rows[0].status == "duplicate"
    assert log.append([request._replace(user="bob")]).rows[0].status == "conflict"
    assert log.user_ids() == ["", "bob", "ann"]


def test_other_processes_unlearn_the_number(place: str) -> None:
    with EventLog.open(place) as one, EventLog.open(place) as two:
        one.append([click("a", "ann")])
        two.append([click("b", "ann")])
        one.erase("ann")
        two.append([click("c", "ann")])
        assert two.user_ids() == ["", "ann"]
        assert [piece.users.tolist() for piece in two.read()] == [[-1, -1, 0, 1]]


def test_impressions_go_too_and_late_ones_stay_out(log: EventLog) -> None:
    log.append([click("a", "ann"), click("b", "bob")])
    shown = [Impression(f"r{user}", T, user, "recommend", "b", 2, "{}") for user in (0, 1, -1)]
    log.add_impressions(shown)
    log.erase("ann")
    assert log.impression("r0") is None
    assert log.impression("r1") == shown[1]
    assert log.impression("r-1") == shown[2]
    log.add_impressions([Impression("late", T, 0, "recommend", "b", 2, "{}")])
    assert log.impression("late") is None


def test_a_user_of_many_rows(log: EventLog) -> None:
    events = [click(f"e{n}", "ann" if n % 2 else f"u{n % 50}", f"i{n % 9}") for n in range(45_000)]
    log.append(events)
    log.erase("ann")
    assert kinds_of(log).count("erased") == 22_500
    log.append([click("z", "ann")])
    assert log.append(events[:4:2]).rows[0].status == "duplicate"


def test_no_bytes_remain(home: Path) -> None:
    """Hundreds of users of all lengths, erased one by one and in batches, in random order."""
    rng = random.Random(7)
    users = [f"secret{n:04d}" + "x" * rng.randrange(60) for n in range(600)]
    with EventLog.open(home) as log:
        for start in range(0, 600, 100):
            some = users[: start + 100]
            log.append(
                [
                    Event(
                        "interaction", f"{user}/{start}/{n}", "view", user, f"i{n}", T,
                        request_id=f"req-{user}" if n else None,
                        fields=f'{{"note":"note-{user}"}}' if n == 2 else None,
                    )
                    for user in some
                    for n in range(3)
                ]
            )  # fmt: skip
            log.append(
                [
                    Event("user", f"put/{user}/{start}", "put", user=user,
                          fields=f'{{"mail":"{user}@{"y" * rng.choice([1, 300, 6000])}.org"}}')
                    for user in some[start:]
                ]
            )  # fmt: skip
        gone = rng.sample(users, 300)
        for user in gone[:20]:
            log.erase(user)
        log.append([Event("erase", f"please-{user}", user=user) for user in gone[20:]])
        data = b"".join(one.read_bytes() for one in home.iterdir())
        left = [user for user in gone if user[:10].encode() in data]
        assert left == []
        assert all(user.encode() in data for user in set(users) - set(gone))
