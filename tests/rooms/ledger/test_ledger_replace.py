"""REPLACE of SQLite deletes the row in its way and fires no trigger for it; refused as well."""

import pytest
import sqlalchemy as sa

from escrow.ground.database import metadata
from escrow.ledger.records import append_only_statements
from escrow.testing.ledgers import LedgerWorld
from tests.rooms.ledger.test_ledger_append_only import TABLES, refused

# PostgreSQL has no such statement.
ON_SQLITE_ALONE = True


@pytest.mark.parametrize("table", TABLES)
def test_replace_is_refused(world: LedgerWorld, table: str) -> None:
    world.grow(4)
    refused(world, f"INSERT OR REPLACE INTO {table} SELECT * FROM {table} LIMIT 1")


def test_replace_by_place_in_the_stream_is_refused(world: LedgerWorld) -> None:
    world.grow(1)
    columns = "stream_kind, stream_id, stream_sequence, type, at, entry"
    refused(
        world,
        f"INSERT OR REPLACE INTO ledger_entry (entry_sha256, {columns})"
        f" SELECT 'x', {columns} FROM ledger_entry",
    )


def test_a_migration_emits_the_same_triggers(world: LedgerWorld) -> None:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        for name in TABLES:
            connection.execute(sa.schema.CreateTable(metadata.tables[name]))
        for statement in append_only_statements("sqlite"):
            connection.exec_driver_sql(statement)
        made = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        names = {row[0] for row in made}
    engine.dispose()
    with world.database.reading() as session:
        with_tables = session.connection().exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'ledger_%'"
        )
        assert {row[0] for row in with_tables} == names
    assert len(names) == 3 * len(TABLES)
