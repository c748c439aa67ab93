"""The engine's own table, and the connections that DBOS works through.

DBOS keeps its tables (``workflow_status``, ``queues``, …) in the same database; nothing of ours
reads them but through DBOS. On SQLite its connections need pysqlite's own transactions with
``isolation_level = "IMMEDIATE"``: its migrations issue BEGIN themselves, so the service's writer
(which begins by an event) cannot be lent to it; what both share is the file, WAL and FULL.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path

import sqlalchemy as sa
from sqlmodel import Field, Session, SQLModel

from escrow.engine.errors import NoFile
from escrow.ground.database import BUSY_TIMEOUT_MILLISECONDS

# So that the modules of the room need no library of databases.
Connections = sa.Engine
DatabaseProblem = sa.exc.SQLAlchemyError

# DBOS defaults to half the pool for its waiting reads; the rest serves queues and steps.
_POOL_SIZE = 20

# unixepoch('subsec') came with this version; before it the function answers NULL (Debian 12 has
# 3.40) and DBOS, which asks by the version of Python, could not even insert a job.
_SUBSEC_SINCE = (3, 42)


class ExecutorRow(SQLModel, table=True):
    """A process that runs jobs, and when it was last seen by the database's own clock."""

    __tablename__ = "job_executor"

    executor_id: str = Field(primary_key=True, max_length=80)
    seen_at: float = Field(sa_type=sa.Float(53))


_EXECUTOR = SQLModel.metadata.tables["job_executor"]


def job_connections(url: str, *, pool_size: int = _POOL_SIZE) -> Connections:
    """Return an engine whose connections are as DBOS needs them."""
    if not url.startswith("sqlite"):
        return sa.create_engine(url, pool_size=pool_size, max_overflow=0, pool_pre_ping=True)
    engine = sa.create_engine(url, pool_size=pool_size, connect_args={"check_same_thread": False})

    @sa.event.listens_for(engine, "connect")
    def _set_up(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        for pragma in (
            f"busy_timeout={BUSY_TIMEOUT_MILLISECONDS}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")
        give_subsecond_clock(connection)

    return engine


def give_subsecond_clock(connection: sqlite3.Connection) -> None:
    """Teach an old SQLite ``unixepoch('subsec')``; a new one is left alone."""
    if sqlite3.sqlite_version_info < _SUBSEC_SINCE:
        connection.create_function("unixepoch", 1, lambda _: time.time())


def prepare_session(session: Session) -> None:
    """Make the connection of a caller's transaction one that a job can be inserted through.

    The columns' defaults are computed by the connection that inserts, so it needs the clock too.
    """
    connection = session.connection().connection.driver_connection
    if isinstance(connection, sqlite3.Connection):
        give_subsecond_clock(connection)


def sqlite_file(url: str) -> Path | None:
    """Return the file of a SQLite database, None for any other database.

    Raises:
        NoFile: SQLite in memory.
    """
    parts = sa.make_url(url)
    if not parts.drivername.startswith("sqlite"):
        return None
    if not parts.database or parts.database == ":memory:":
        raise NoFile(
            "The jobs' database is in memory, where nothing survives the process.",
            "Name a file: sqlite:////absolute/path.db.",
        )
    return Path(parts.database)


def beat(engine: Connections, executor_id: str, ttl_seconds: float) -> frozenset[str]:
    """Note that an executor lives, and return the ids of all that do.

    Args:
        engine: made by :func:`job_connections`.
        executor_id: who beats.
        ttl_seconds: an executor not seen for longer counts as dead.
    """
    now = _now(engine)
    with engine.begin() as connection:
        updated = connection.execute(
            sa.update(_EXECUTOR).where(_EXECUTOR.c.executor_id == executor_id).values(seen_at=now)
        )
        if updated.rowcount == 0:
            connection.execute(sa.insert(_EXECUTOR).values(executor_id=executor_id, seen_at=now))
        rows = connection.execute(
            sa.select(_EXECUTOR.c.executor_id).where(_EXECUTOR.c.seen_at > now - ttl_seconds)
        )
        return frozenset(rows.scalars())


def forget_executors(engine: Connections, executor_ids: Iterable[str]) -> None:
    """Remove executors that ended or are dead; their jobs have been taken care of."""
    with engine.begin() as connection:
        connection.execute(
            sa.delete(_EXECUTOR).where(_EXECUTOR.c.executor_id.in_(sorted(executor_ids)))
        )


def _now(engine: Connections) -> sa.ColumnElement[float]:
    # The database's clock: the hosts' clocks may differ by more than the time to live.
    if engine.dialect.name == "sqlite":
        # 2440587.5 is the Julian day of 1970-01-01; julianday keeps the milliseconds.
        return (sa.func.julianday("now") - 2440587.5) * 86400.0
    return sa.cast(sa.func.extract("epoch", sa.func.clock_timestamp()), sa.Float(53))
