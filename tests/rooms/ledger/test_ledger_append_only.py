"""The tables take inserts and nothing else, whoever asks."""

import pytest
import sqlalchemy as sa

from escrow.testing.ledgers import LedgerWorld

TABLES = ["ledger_entry", "ledger_leaf", "ledger_node", "ledger_checkpoint"]
COLUMN = {"ledger_node": "hash", "ledger_checkpoint": "note", "ledger_leaf": "leaf"}


def refused(world: LedgerWorld, statement: str) -> None:
    with (
        pytest.raises(sa.exc.DBAPIError, match="append-only"),
        world.database.writing() as session,
    ):
        session.connection().exec_driver_sql(statement)


@pytest.mark.parametrize("table", TABLES)
def test_update_and_delete_are_refused(world: LedgerWorld, table: str) -> None:
    world.grow(4)
    column = COLUMN.get(table, "entry")
    refused(world, f"UPDATE {table} SET {column} = {column}")
    refused(world, f"DELETE FROM {table}")


def test_a_table_is_not_emptied_either(world: LedgerWorld, database_kind: str) -> None:
    """Only PostgreSQL has a statement for it, which fires no trigger of rows."""
    world.grow(4)
    empty = "DELETE FROM ledger_node" if database_kind == "sqlite" else "TRUNCATE ledger_node"
    refused(world, empty)
