"""The migrations lead to the declared tables on PostgreSQL too, beside the engine's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from escrow.engine.jobs import JobEngine
from escrow.ground.database import Database
from escrow.operations.tables import metadata, owns, upgrade
from tests.postgresql import PostgresqlServer

# 2^31 bytes are two gigabytes: less than many a repository.
BEYOND_INTEGER = "a size in bytes needs BigInteger"


@pytest.fixture(scope="module")
def migrated(
    bare_postgresql: PostgresqlServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    database = Database(bare_postgresql.url(tmp_path_factory.mktemp("migrated")))
    engine = JobEngine(database.url, "migration", 1, "jobs-1")
    engine.prepare()
    upgrade(database)
    yield database
    engine.stop()
    database.close()


def test_the_newest_revision_has_every_table_as_declared(migrated: Database) -> None:
    with migrated.writer.connect() as connection:
        options = {"include_object": owns, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_an_upgrade_run_again_leaves_the_engines_tables(migrated: Database) -> None:
    before = sa.inspect(migrated.writer).get_table_names("dbos")
    upgrade(migrated)
    assert "workflow_status" in before
    assert sa.inspect(migrated.writer).get_table_names("dbos") == before


def test_sizes_and_offsets_are_no_short_integers(migrated: Database) -> None:
    seen = sa.inspect(migrated.writer)
    sizes = [
        (table, column["name"], str(column["type"]))
        for table in seen.get_table_names()
        for column in seen.get_columns(table)
        if column["name"].endswith("_bytes") or column["name"] == "length"
    ]
    assert sizes
    assert {kind for _, _, kind in sizes} == {"BIGINT"}, BEYOND_INTEGER
