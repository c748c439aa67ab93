"""What PostgreSQL grants is what the table of rights says, whatever somebody granted by hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from escrow.engine.jobs import JobEngine
from escrow.ground.database import Database
from escrow.operations.database_roles import (
    PROCESSES,
    RIGHTS,
    UNREAD,
    Rights,
    give_rights,
    role_name,
)
from escrow.operations.tables import metadata, upgrade
from tests.postgresql import PostgresqlServer

VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")


@pytest.fixture(scope="module")
def granted(
    bare_postgresql: PostgresqlServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    database = Database(bare_postgresql.url(tmp_path_factory.mktemp("granted")))
    engine = JobEngine(database.url, "migration", 1, "jobs-1")
    upgrade(database)
    engine.prepare()
    give_rights(database, {})
    yield database
    engine.stop()
    database.close()


def columns_by_verb(database: Database, process: str, table: str) -> dict[str, set[str]]:
    """Ask the server, column by column, what a role may do; a table's rights are on all of them."""
    found = {}
    with database.writer.connect() as connection:
        for verb in VERBS:
            asked = (
                "has_column_privilege(%s, %s, column_name, %s)"
                if verb in ("SELECT", "INSERT", "UPDATE", "REFERENCES")
                else "has_table_privilege(%s, %s, %s)"
            )
            names = connection.exec_driver_sql(
                "SELECT column_name FROM information_schema.columns"
                f" WHERE table_schema = 'public' AND table_name = %s AND {asked}",
                (table, role_name(process), table, verb),
            )
            found[verb] = set(names.scalars())
    return found


def as_the_table_says(process: str, table: str) -> dict[str, set[str]]:
    every = set(metadata.tables[table].columns.keys())
    rights = RIGHTS[process].get(table, Rights())
    nothing: set[str] = set()
    return {
        "SELECT": nothing if table in UNREAD[process] else every,
        "INSERT": every if rights.insert else nothing,
        "UPDATE": every if rights.update == ("*",) else set(rights.update),
        "DELETE": every if rights.delete else nothing,
        "TRUNCATE": nothing,
        "REFERENCES": nothing,
        "TRIGGER": nothing,
    }


@pytest.mark.parametrize("process", PROCESSES)
def test_the_server_grants_exactly_the_table(granted: Database, process: str) -> None:
    for table in metadata.tables:
        said = as_the_table_says(process, table)
        assert columns_by_verb(granted, process, table) == said, table


@pytest.mark.parametrize(
    "stray",
    [
        "INSERT ON ledger_leaf",
        "UPDATE (note) ON ledger_checkpoint",
        "SELECT ON token",
        "TRUNCATE ON notice",
    ],
)
def test_a_right_given_by_hand_is_taken_back(granted: Database, stray: str) -> None:
    table = stray.rpartition(" ")[2]
    with granted.writer.begin() as connection:
        connection.exec_driver_sql(f"GRANT {stray} TO {role_name('worker')}")
    before = columns_by_verb(granted, "worker", table)
    give_rights(granted, {})
    after = columns_by_verb(granted, "worker", table)
    assert before != after == as_the_table_says("worker", table)


def test_a_right_given_to_everybody_is_taken_back(granted: Database) -> None:
    with granted.writer.begin() as connection:
        connection.exec_driver_sql("GRANT INSERT ON ledger_leaf TO PUBLIC")
    give_rights(granted, {})
    assert columns_by_verb(granted, "portal", "ledger_leaf")["INSERT"] == set()
