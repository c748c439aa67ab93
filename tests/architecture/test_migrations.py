"""The migrations lead to exactly the tables that the rooms declare."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from escrow.ground.database import Database
from escrow.operations.tables import metadata, owns, upgrade


def test_the_newest_revision_has_every_table_as_declared(tmp_path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'new.db'}")
    try:
        upgrade(database)
        with database.writer.connect() as connection:
            options = {"include_object": owns, "render_as_batch": True}
            context = MigrationContext.configure(connection, opts=options)
            assert compare_metadata(context, metadata) == []
    finally:
        database.close()
