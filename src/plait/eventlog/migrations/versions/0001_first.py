"""The schema of Plait 0.1.0."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

__all__ = ["downgrade", "upgrade"]

revision = "0001"
down_revision = None

_OFFSET = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create every table; `plait.eventlog.tables` says what they mean."""
    _create_head()
    _create_events()
    _create_names()
    _create_impressions()


def downgrade() -> None:
    """There is nothing before the first schema."""
    raise NotImplementedError("this is the first schema")


def _create_head() -> None:
    head = op.create_table(
        "head",
        sa.Column("one", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("items", sa.Integer, nullable=False),
        sa.Column("users", sa.Integer, nullable=False),
        sa.Column("kinds", sa.Integer, nullable=False),
        sa.Column("fields", sa.Integer, nullable=False),
        sa.Column("erasures", sa.Integer, nullable=False),
        sa.CheckConstraint("one = 1", name="head_is_one_row"),
    )
    row = {"one": 1, "seq": 0, "items": 0, "users": 0, "kinds": 0, "fields": 0, "erasures": 0}
    op.bulk_insert(head, [row])


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("seq", _OFFSET, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("type", sa.SmallInteger, nullable=False),
        sa.Column("kind_no", sa.SmallInteger),
        sa.Column("user_no", sa.Integer),
        sa.Column("item_no", sa.Integer),
        sa.Column("time", sa.BigInteger),
        sa.Column("position", sa.BigInteger),
        sa.Column("value", sa.Double),
        sa.Column("request_id", sa.Text),
        sa.Column("fields", sa.Text),
    )
    op.create_table(
        "event_ids",
        sa.Column("run", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("hash", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )


def _create_names() -> None:
    op.create_table(
        "items",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("hash", sa.BigInteger, nullable=False),
    )
    op.create_index("items_hash", "items", ["hash"])
    op.create_table(
        "users",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("hash", sa.BigInteger, nullable=False),
        sa.Column("erased", sa.SmallInteger, nullable=False, server_default="0"),
    )
    op.create_index("users_hash", "users", ["hash"])
    op.create_table(
        "kinds",
        sa.Column("number", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text, nullable=False, unique=True),
    )
    op.create_table(
        "fields",
        sa.Column("entity", sa.String(16), primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("type", sa.String(16), nullable=False),
    )


def _create_impressions() -> None:
    op.create_table(
        "impressions",
        sa.Column("request_id", sa.Text, primary_key=True),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("user_no", sa.Integer),
        sa.Column("route", sa.Text, nullable=False),
        sa.Column("bundle", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
    )
    op.create_index("impressions_time", "impressions", ["time"])
