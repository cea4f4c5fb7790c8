"""Which rows later imports named again, so that an undo leaves them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

__all__ = ["downgrade", "upgrade"]

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the table `repeated_rows`; of earlier imports nothing is known."""
    op.create_table(
        "repeated_rows",
        sa.Column("block", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("bits", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    """Remove the table: an undo then takes also what later imports repeated."""
    op.drop_table("repeated_rows")
