"""${message}"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

__all__ = ["downgrade", "upgrade"]

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Say what changes. Rows of `events` are never rewritten: replay must stay exact."""


def downgrade() -> None:
    """Old code never meets a new schema: it is refused when it opens the log."""
    raise NotImplementedError("put a backup in place to go back")
