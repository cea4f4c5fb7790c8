"""The log's tables, as the newest migration leaves them.

`events` is the log itself, one row for each offset (`seq`). Ids of events, items and users are
looked up by a 64-bit hash and then compared: an index of integers has a third of the size of an
index of strings, and contains no text that an erasure would have to overwrite. `head` is one row of
counters, read and written by every transaction: they tell a process which caches are outdated.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)

__all__ = [
    "ERASED",
    "EVENT_COLUMNS",
    "METADATA",
    "REBUILDS",
    "RUN_BITS",
    "TYPES",
    "TYPE_CODES",
    "event_ids",
    "events",
    "fields",
    "head",
    "imports",
    "impressions",
    "items",
    "kinds",
    "repeated_rows",
    "retired",
    "run_of",
    "users",
]

TYPES = (
    "interaction",
    "item",
    "user",
    "fact",
    "erase",
    "erased",
    "merge",
    "retract",
    "retype",
    "retire",
)
"""The types of rows by code; an "erased" row is what an erasure leaves of an event. `EventLog.read`
gives rows that were taken back the code -1 - code: they are of none of these types."""

TYPE_CODES = {name: code for code, name in enumerate(TYPES)}
ERASED = TYPE_CODES["erased"]

REBUILDS = TYPE_CODES["retract"]
"""From this code on a record changes what earlier rows mean: a state is replayed for it."""

RUN_BITS = 20
"""A run of `event_ids` covers 2**20 offsets; a change would make the stored runs invalid."""

METADATA = MetaData()
_OFFSET = BigInteger().with_variant(Integer, "sqlite")  # INTEGER, so that it is SQLite's row id

head = Table(
    "head",
    METADATA,
    Column("one", SmallInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("items", Integer, nullable=False),
    Column("users", Integer, nullable=False),
    Column("kinds", Integer, nullable=False),
    Column("fields", Integer, nullable=False),
    Column("erasures", Integer, nullable=False),
    CheckConstraint("one = 1", name="head_is_one_row"),
)
"""The counters, see `plait.eventlog.log_counters.LogHead`."""

events = Table(
    "events",
    METADATA,
    Column("seq", _OFFSET, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("type", SmallInteger, nullable=False),
    Column("kind_no", SmallInteger),
    Column("user_no", Integer),
    Column("item_no", Integer),
    Column("time", BigInteger),
    Column("position", BigInteger),
    Column("value", Double),
    Column("request_id", Text),
    Column("fields", Text),
)
"""`digest` distinguishes events with the same id; `time` is microseconds since 1970 UTC."""

Index(
    "events_items",
    events.c.item_no,
    events.c.seq,
    sqlite_where=events.c.type == TYPE_CODES["item"],
    postgresql_where=events.c.type == TYPE_CODES["item"],
)
"""Only the rows that describe items, which are few beside the interactions."""

EVENT_COLUMNS = tuple(column.name for column in events.columns)

event_ids = Table(
    "event_ids",
    METADATA,
    Column("run", Integer, primary_key=True, autoincrement=False),
    Column("hash", BigInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
"""The offset of the event of an id, in runs of 2**20 offsets (`run_of`).

A batch of new ids touches pages all over the index: one index of ten million ids would write 300 MB
for each batch of 50,000. So a batch is added to the newest run, which is small, and looked up in
all runs.
"""


def run_of(seq: int) -> int:
    """Return the run of `event_ids` to which an offset belongs.

    Args:
        seq: The offset.

    Returns:
        The number of the run.
    """
    return seq >> RUN_BITS


items = Table(
    "items",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("hash", BigInteger, nullable=False),
    Index("items_hash", "hash"),
)

users = Table(
    "users",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("hash", BigInteger, nullable=False),
    Column("erased", SmallInteger, nullable=False, server_default="0"),
    Index("users_hash", "hash"),
)
"""An erased user's `id` and `hash` are random."""

kinds = Table(
    "kinds",
    METADATA,
    Column("number", SmallInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False, unique=True),
)
"""The names of event types, of changes of items and users, and of relations of triples."""

fields = Table(
    "fields",
    METADATA,
    Column("entity", String(16), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("type", String(16), nullable=False),
)
"""The type of every field of every entity ("item", "user", ...)."""

retired = Table(
    "retired",
    METADATA,
    Column("entity", String(16), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("type", String(16), nullable=False),
)
"""What is no longer used: fields with the type they had, and event types (entity "kind")."""

imports = Table(
    "imports",
    METADATA,
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
    Column("id", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("source", Text, nullable=False),
    Column("retracted", BigInteger),
)
"""One row for each batch of an import, see `plait.eventlog.retraction`."""

repeated_rows = Table(
    "repeated_rows",
    METADATA,
    Column("block", Integer, primary_key=True, autoincrement=False),
    Column("id", Text, primary_key=True),
    Column("time", BigInteger, nullable=False),
    Column("bits", LargeBinary, nullable=False),
)
"""The rows that imports named again, see `plait.eventlog.import_row_owners`."""

impressions = Table(
    "impressions",
    METADATA,
    Column("request_id", Text, primary_key=True),
    Column("time", BigInteger, nullable=False),
    Column("user_no", Integer),
    Column("route", Text, nullable=False),
    Column("bundle", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("payload", Text, nullable=False),
    Index("impressions_time", "time"),
)
"""The impressions, see `plait.eventlog.impressions.Impression`."""
