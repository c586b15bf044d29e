"""What Alembic runs for every migration: within the transaction of the connection handed in."""

from __future__ import annotations

from alembic import context

from stewardmon.stores.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
