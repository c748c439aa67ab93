"""A process that was taken over has its role's rights in the database, and no other's."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from escrow.engine.jobs import JobEngine
from escrow.ground.database import Database
from escrow.operations.database_roles import PROCESSES, RIGHTS, give_rights, role_name
from escrow.operations.tables import metadata, upgrade

Ask = Callable[[str, str], None]


@pytest.fixture(scope="module")
def ask(bare_postgresql, tmp_path_factory) -> Iterator[Ask]:
    """Run a statement as one of the processes, on the migrated tables."""
    folder = tmp_path_factory.mktemp("roles")
    database = Database(bare_postgresql.url(folder))
    engine = JobEngine(database.url, "migration", 1, "jobs-1")
    upgrade(database)
    engine.prepare()
    for _ in range(2):
        give_rights(database, {process: f"the {process}'s" for process in PROCESSES})
    engine.stop()
    database.close()
    engines = {}
    for process in PROCESSES:
        url = bare_postgresql.url_of(folder, role_name(process), f"the {process}'s")
        engines[process] = sa.create_engine(url)

    def run(process: str, statement: str) -> None:
        with engines[process].connect() as connection:
            connection.exec_driver_sql(statement)

    yield run
    for one in engines.values():
        one.dispose()


def refused(ask: Ask, process: str, statement: str) -> None:
    with pytest.raises(sa.exc.DBAPIError, match=r"permission denied|must be owner"):
        ask(process, statement)


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize(
    "table", ["ledger_entry", "ledger_leaf", "ledger_node", "ledger_checkpoint"]
)
def test_nobody_changes_what_the_ledger_holds(ask, process, table) -> None:
    column = next(iter(metadata.tables[table].columns)).name
    refused(ask, process, f"UPDATE {table} SET {column} = {column}")
    refused(ask, process, f"DELETE FROM {table}")
    refused(ask, process, f"TRUNCATE {table}")
    refused(ask, process, f"ALTER TABLE {table} DISABLE TRIGGER ALL")


@pytest.mark.parametrize("process", ["portal", "worker"])
@pytest.mark.parametrize(
    "table",
    [
        "ledger_leaf",
        "ledger_checkpoint",
        "lane",
        "header_record",
        "documents_key",
        "sealing_epoch",
        "share_deal",
        "release_round",
        "released_header",
        "release_certificate",
    ],
)
def test_only_the_keyholder_adds(ask, process, table) -> None:
    refused(ask, process, f"INSERT INTO {table} SELECT * FROM {table}")


@pytest.mark.parametrize("process", ["portal", "keyholder"])
@pytest.mark.parametrize("table", ["examination", "finding", "report", "document"])
def test_only_the_worker_writes_verdicts(ask, process, table) -> None:
    column = next(iter(metadata.tables[table].columns)).name
    refused(ask, process, f"INSERT INTO {table} SELECT * FROM {table}")
    refused(ask, process, f"UPDATE {table} SET {column} = {column}")


@pytest.mark.parametrize("process", ["worker", "keyholder"])
@pytest.mark.parametrize(
    "table", ["token", "member_key", "acceptance", "agreement_version", "deposit", "part"]
)
def test_only_the_portal_writes_who_may_what(ask, process, table) -> None:
    column = next(iter(metadata.tables[table].columns)).name
    refused(ask, process, f"INSERT INTO {table} DEFAULT VALUES")
    refused(ask, process, f"UPDATE {table} SET {column} = {column}")


@pytest.mark.parametrize("table", ["token", "release_share", "canary_share", "share_deal"])
def test_a_worker_reads_no_token_and_no_share(ask, table) -> None:
    refused(ask, "worker", f"SELECT * FROM {table}")


@pytest.mark.parametrize("process", PROCESSES)
def test_nobody_makes_or_drops_tables(ask, process) -> None:
    refused(ask, process, "CREATE TABLE mine (n integer)")
    refused(ask, process, "DROP TABLE notice")


def test_a_portal_opens_no_round_again(ask) -> None:
    refused(ask, "portal", "UPDATE release_round SET sealed_identity = ''")
    refused(ask, "portal", "UPDATE sealing_epoch SET recipient = ''")
    refused(ask, "portal", "UPDATE agreement_version SET text = ''")


def test_a_keyholder_has_no_jobs(ask) -> None:
    refused(ask, "keyholder", "SELECT * FROM dbos.workflow_status")


def test_the_table_names_only_what_there_is() -> None:
    for process, rights in RIGHTS.items():
        assert process in PROCESSES
        for table, right in rights.items():
            columns = set(metadata.tables[table].columns.keys())
            assert set(right.update) - {"*"} <= columns
