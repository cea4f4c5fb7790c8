"""What was acknowledged, and whether a log holds it: each event once, offsets without gaps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from plait.eventlog import EventLog
from plait.eventlog.snapshot import snapshot
from plait.eventlog.tables import ERASED

__all__ = ["Ledger", "Verdict", "compare"]


@dataclass
class Ledger:
    """What clients were told was stored.

    Attributes:
        events: The ids of acknowledged events.
        erased: The ids of users whose erasure was acknowledged.
        serials: By item, the last `serial` that was acknowledged.
        version: The largest version in an acknowledgement.
        unexpected: Answers that no failure explains.
    """

    events: set[str] = field(default_factory=set)
    erased: set[str] = field(default_factory=set)
    serials: dict[str, int] = field(default_factory=dict)
    version: int = 0
    unexpected: list[str] = field(default_factory=list)

    def acknowledge(self, ids: Iterable[str], version: int) -> None:
        """Note events as stored."""
        self.events.update(ids)
        self.version = max(self.version, version)


@dataclass(frozen=True)
class Verdict:
    """What a log lacks or has too much; all zero, and the log is right.

    Attributes:
        lost: Acknowledged events that the log does not have.
        twice: Events that it has more than once.
        gaps: Offsets that are missing, wrong numbers of items and users included.
        unindexed: Rows whose id cannot be looked up, or the reverse.
        behind: Items with an older description than the acknowledged one.
        undead: Erased users that are still known.
    """

    lost: int = 0
    twice: int = 0
    gaps: int = 0
    unindexed: int = 0
    behind: int = 0
    undead: int = 0

    @property
    def is_right(self) -> bool:
        """Whether nothing is wrong."""
        return not any(vars(self).values())


def compare(location: str, ledger: Ledger) -> Verdict:
    """Open a log and compare it with what was acknowledged.

    Args:
        location: A home, or the URL of a database.
        ledger: What was acknowledged.
    """
    with EventLog.open(location) as log:
        version = log.version
        offsets = np.concatenate([np.zeros(0, np.int64), *(part.offsets for part in log.read())])
        items = snapshot(log).catalogue if ledger.serials else None
        with log._store.reading() as connection:
            rows = list(log._store.rows(connection, "SELECT id, type FROM events"))
            (n_indexed,) = next(log._store.rows(connection, "SELECT count(*) FROM event_ids"))
            numbers = {
                table: sorted(
                    row[0] for row in log._store.rows(connection, f"SELECT number FROM {table}")
                )
                for table in ("items", "users")
            }
        users = set(log.user_ids())
    counts = Counter(row[0] for row in rows)
    n_kept = sum(row[1] != ERASED for row in rows)
    gaps = len(set(range(1, version + 1)) ^ set(offsets.tolist())) + (version < ledger.version)
    gaps += sum(held != list(range(len(held))) for held in numbers.values())
    return Verdict(
        lost=len(ledger.events - counts.keys()),
        twice=sum(counts.values()) - len(counts),
        gaps=gaps,
        unindexed=abs(n_indexed - n_kept),
        behind=sum(
            items is not None
            and float(items.fields(items.number(item)).get("serial", -1)) < acknowledged
            for item, acknowledged in ledger.serials.items()
        ),
        undead=len(ledger.erased & users),
    )
