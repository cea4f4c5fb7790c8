"""Alembic's entry: runs the migrations on the connection that `plait.eventlog.migrate` holds."""

from alembic import context

# The caller has begun the transaction, under the lock of all writers, and commits it.
context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
