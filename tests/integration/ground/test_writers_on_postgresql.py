"""The writers' turn on PostgreSQL: waited for, given up in a sentence, and freed by the server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from escrow.ground import database as ground
from escrow.ground.database import Database, WritersBusy
from tests.postgresql import PostgresqlServer


@pytest.fixture
def url(postgresql: PostgresqlServer, tmp_path: Path) -> str:
    return postgresql.url(tmp_path)


@pytest.fixture
def holder(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A process of its own, as far as the server can tell; silent for a second is frozen."""
    monkeypatch.setattr(ground, "IDLE_WRITER_MILLISECONDS", 1_000)
    database = Database(url)
    yield database
    database.close()


def stamp(database: Database) -> None:
    with database.writing() as session:
        session.connection().exec_driver_sql("SELECT 1")


def test_a_writer_that_waits_too_long_is_told_so(url: str, monkeypatch) -> None:
    first = Database(url)
    monkeypatch.setattr(ground, "BUSY_TIMEOUT_MILLISECONDS", 300)
    second = Database(url)
    with first.writing() as session:
        session.connection()
        with pytest.raises(WritersBusy, match="Nothing of this request was kept"):
            stamp(second)
    # The refused one lost nothing but its turn.
    stamp(second)
    first.close()
    second.close()


def test_a_frozen_writer_holds_nobody_up_for_ever(url: str, holder: Database) -> None:
    other = Database(url)
    wrote = threading.Event()

    def write() -> None:
        stamp(other)
        wrote.set()

    gone = pytest.raises(sa.exc.DBAPIError, match="idle-in-transaction")
    with gone, holder.writing() as session:
        session.connection()
        waiting = threading.Thread(target=write)
        waiting.start()
        assert wrote.wait(20)
        session.connection().exec_driver_sql("SELECT 1")
    waiting.join()
    other.close()


def test_a_reader_waits_for_no_writer_and_writes_nothing(url: str) -> None:
    database = Database(url)
    with database.writing() as writer:
        writer.connection()
        with database.reading() as reader:
            assert reader.connection().exec_driver_sql("SELECT 1").scalar() == 1
            with pytest.raises(sa.exc.InternalError, match="read-only transaction"):
                reader.connection().exec_driver_sql("DELETE FROM notice")
    database.close()
