"""The counters of the log, read and written in every transaction."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection

from plait.eventlog.base_store import Store
from plait.eventlog.migrate import check_schema

__all__ = ["LogHead", "read_head", "write_head"]


class LogHead(NamedTuple):
    """The counters of the log, one row of the table `plait.eventlog.tables.head`.

    Attributes:
        seq: The last offset.
        items: How many item numbers were given.
        users: How many user numbers were given.
        kinds: How many event types have a number.
        fields: Grows with every change of the field types.
        erasures: Grows with every erasure.
    """

    seq: int
    items: int
    users: int
    kinds: int
    fields: int
    erasures: int


def read_head(store: Store, connection: Connection) -> LogHead:
    """Read the counters.

    Args:
        store: The database.
        connection: An open connection to it.

    Returns:
        The counters now.

    Raises:
        StorageError: If a newer Plait has changed the schema.
    """
    sql = (
        "SELECT (SELECT version_num FROM alembic_version),"
        " seq, items, users, kinds, fields, erasures FROM head"
    )
    revision, *counters = next(store.rows(connection, sql))
    check_schema(revision)
    return LogHead(*counters)


def write_head(connection: Connection, head: LogHead) -> None:
    """Store the counters.

    Args:
        connection: The connection of the open transaction.
        head: The counters.
    """
    connection.exec_driver_sql(
        f"UPDATE head SET seq = {head.seq:d}, items = {head.items:d}, users = {head.users:d},"  # noqa: S608 integers
        f" kinds = {head.kinds:d}, fields = {head.fields:d}, erasures = {head.erasures:d}"
    )
