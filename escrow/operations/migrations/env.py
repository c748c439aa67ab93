"""Alembic's entry: our tables only, on the connection that the caller opened."""

from alembic import context

from escrow.operations.tables import metadata, owns

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    include_object=owns,
    render_as_batch=True,
)
# The caller's transaction carries the whole upgrade: all revisions are applied, or none.
context.run_migrations()
