"""Imports, which can be taken back, and an index of the rows that describe items."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

__all__ = ["downgrade", "upgrade"]

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the table `imports` and the index `events_items`."""
    op.create_table(
        "imports",
        sa.Column("first", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("retracted", sa.BigInteger),
    )
    described = sa.text("type = 1")
    op.create_index(
        "events_items",
        "events",
        ["item_no", "seq"],
        sqlite_where=described,
        postgresql_where=described,
    )


def downgrade() -> None:
    """Remove both: an older Plait does not know which imports were taken back."""
    raise NotImplementedError("rows that were taken back would come back")
