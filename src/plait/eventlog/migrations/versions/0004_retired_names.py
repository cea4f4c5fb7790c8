"""Names of fields and event types that were retired."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

__all__ = ["downgrade", "upgrade"]

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the table `retired`."""
    op.create_table(
        "retired",
        sa.Column("entity", sa.String(16), primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("type", sa.String(16), nullable=False),
    )


def downgrade() -> None:
    """Remove it: an older Plait does not know which names were retired."""
    raise NotImplementedError("names that were retired would come back")
