"""The lock beside the file, the clock that DBOS asks, and the list of executors."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from escrow.engine import records
from escrow.engine.errors import FileHeldByOther, NoFile
from escrow.engine.holding import HeldFile
from escrow.ground.database import Database, metadata

# POSIX locks do not refuse their own process, so the other holder is a real one.
OTHER = """
import sys, pathlib
from escrow.engine.holding import HeldFile
held = HeldFile(pathlib.Path(sys.argv[1]), "service-one")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path: Path):
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER, str(tmp_path / "e.db")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.communicate()


def test_second_service_on_a_file_is_refused_and_told_by_whom(tmp_path: Path, other) -> None:
    with pytest.raises(FileHeldByOther, match=f"process {other.pid}, service-one"):
        HeldFile(tmp_path / "e.db", "service-two")


def test_lock_of_a_killed_process_is_free(tmp_path: Path, other) -> None:
    other.kill()
    other.wait()
    HeldFile(tmp_path / "e.db", "service-two").release()


def test_lock_can_be_taken_again_after_release(tmp_path: Path) -> None:
    HeldFile(tmp_path / "e.db", "one").release()
    HeldFile(tmp_path / "e.db", "two").release()


def test_database_in_memory_is_refused_and_another_server_is_no_file() -> None:
    with pytest.raises(NoFile):
        records.sqlite_file("sqlite://")
    assert records.sqlite_file("postgresql+psycopg://h/d") is None


def test_connections_are_durable_and_know_the_time(tmp_path: Path) -> None:
    engine = records.job_connections(f"sqlite:///{tmp_path / 'e.db'}")
    with engine.connect() as connection:
        ask = connection.exec_driver_sql
        assert ask("PRAGMA journal_mode").scalar() == "wal"
        assert ask("PRAGMA synchronous").scalar() == 2
        seconds = ask("SELECT unixepoch('subsec')").scalar()
    engine.dispose()
    assert abs(seconds - time.time()) < 5


def test_old_sqlite_learns_fractions_of_seconds() -> None:
    connection = sqlite3.connect(":memory:")
    records.give_subsecond_clock(connection)
    found = connection.execute("SELECT unixepoch('subsec')").fetchone()[0]
    connection.close()
    assert abs(found - time.time()) < 5


def test_session_of_the_service_learns_them_too(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'e.db'}")
    with database.writing() as session:
        records.prepare_session(session)
        asked = session.connection().exec_driver_sql("SELECT unixepoch('subsec')")
        assert abs(asked.scalar() - time.time()) < 5
    database.close()


def test_silent_executor_is_dead_and_a_beating_one_lives(tmp_path: Path) -> None:
    engine = records.job_connections(f"sqlite:///{tmp_path / 'e.db'}")
    metadata.tables["job_executor"].create(engine)
    assert records.beat(engine, "one", 0.2) == {"one"}
    time.sleep(0.3)
    assert records.beat(engine, "two", 0.2) == {"two"}
    assert records.beat(engine, "one", 60.0) == {"one", "two"}
    records.forget_executors(engine, ["two"])
    assert records.beat(engine, "one", 60.0) == {"one"}
    engine.dispose()
