"""The tables take inserts and nothing else."""

import pytest
import sqlalchemy as sa

from escrow.ground.database import Session, metadata
from escrow.ledger.records import append_only_statements
from escrow.testing.ledgers import LedgerWorld

TABLES = ["ledger_entry", "ledger_leaf", "ledger_node", "ledger_checkpoint"]
COLUMN = {"ledger_node": "hash", "ledger_checkpoint": "note", "ledger_leaf": "leaf"}


def _refused(session: Session, statement: str) -> None:
    with pytest.raises(sa.exc.IntegrityError, match="append-only"):
        session.connection().exec_driver_sql(statement)


@pytest.mark.parametrize("table", TABLES)
def test_update_and_delete_are_refused(world: LedgerWorld, table: str) -> None:
    world.grow(4)
    column = COLUMN.get(table, "entry")
    with world.database.writing() as session:
        _refused(session, f"UPDATE {table} SET {column} = {column}")
        _refused(session, f"DELETE FROM {table}")


@pytest.mark.parametrize("table", TABLES)
def test_replace_is_refused(world: LedgerWorld, table: str) -> None:
    world.grow(4)
    with world.database.writing() as session:
        _refused(session, f"INSERT OR REPLACE INTO {table} SELECT * FROM {table} LIMIT 1")


def test_replace_by_place_in_the_stream_is_refused(world: LedgerWorld) -> None:
    world.grow(1)
    columns = "stream_kind, stream_id, stream_sequence, type, at, entry"
    with world.database.writing() as session:
        _refused(
            session,
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


def test_postgresql_has_its_own() -> None:
    text = "\n".join(append_only_statements("postgresql"))
    for table in TABLES:
        assert f"BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}" in text
