"""One database behind two engines: a writer that never loses a race, a reader that never waits.

One transaction writes at a time, on either database. On SQLite the writer opens every transaction
with ``BEGIN IMMEDIATE``: with a deferred ``BEGIN`` two requests that read and then insert fail
with "database is locked" however long the timeout. On PostgreSQL it takes one advisory lock first,
which all processes share (docs/decisions/0005). One fair lock per process queues our own writers:
SQLite's busy handler polls and starves, and on PostgreSQL each waiter would hold a connection.
Durability is ``synchronous=FULL``, PostgreSQL's own default: what was acknowledged survives a
power cut.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeVar, cast

import sqlalchemy as sa
from sqlmodel import Session, SQLModel, create_engine, select

from escrow.ground.errors import Unavailable

# Longer than any transaction of ours or of the keyholder, which writes the same file.
BUSY_TIMEOUT_MILLISECONDS = 30_000

# Names the writers' lock among the advisory locks of the database; DBOS takes others of its own.
WRITERS_LOCK = 0x6573_6372_6F77

# Connections of a process's readers. FastAPI runs 40 routes at once, which mostly wait for their
# turn to write without a connection; the server grants 100 to all processes together.
POOL_SIZE = 5
POOL_OVERFLOW = 10

# A writer that says nothing for so long inside a transaction is frozen or unplugged, and holds up
# every process; the server ends it. Between two statements of ours lie milliseconds of signing.
IDLE_WRITER_MILLISECONDS = 60_000

# SQLSTATE lock_not_available, by which PostgreSQL ends a wait.
_LOCK_NOT_AVAILABLE = "55P03"

# DBOS has its own tables in the same file; Alembic and our metadata leave them alone.
metadata = SQLModel.metadata

_Row = TypeVar("_Row", bound=SQLModel)

# A table is read in pieces: flat memory at any size.
_ROWS_AT_A_TIME = 5_000

# Verb modules of the rooms type their session with this name and never import the ORM.
__all__ = [
    "Database",
    "FairLock",
    "Session",
    "UtcDateTime",
    "WritersBusy",
    "every_row",
    "metadata",
    "when_committed",
]


class WritersBusy(Unavailable):
    """Another process held the turn to write for longer than anybody waits."""

    code = "database.writers-busy"


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """A moment: aware in Python, stored in UTC, aware again when read (SQLite drops zones)."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: object) -> datetime | None:
        """Return the moment as naive UTC for storage; an unaware one is a programming error."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: object) -> datetime | None:
        """Return the stored moment, aware."""
        return None if value is None else value.replace(tzinfo=UTC)


class FairLock:
    """A lock that serves its waiters in the order in which they came."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._held = False

    def __enter__(self) -> None:
        with self._guard:
            if not self._held and not self._waiting:
                self._held = True
                return
            turn = threading.Event()
            self._waiting.append(turn)
        turn.wait()

    def __exit__(self, *_: object) -> None:
        with self._guard:
            if self._waiting:
                # The lock passes straight to the next in line and is never free in between.
                self._waiting.popleft().set()
            else:
                self._held = False


class _WritingSession(Session):
    """A session of one transaction on a lent connection, in which the ORM takes part when used.

    Statements that a room hands to the connection itself, as every append to the ledger does,
    do without the ORM's bookkeeping of a transaction, which costs half as much as the commit.
    """

    def __init__(self, connection: sa.Connection) -> None:
        # "control_fully": a transaction that was begun below is the ORM's own once it joins.
        super().__init__(connection, expire_on_commit=False, join_transaction_mode="control_fully")
        self._lent = connection
        self._when_committed: list[Callable[[], None]] = []

    def connection(self, *_: object, **__: object) -> sa.Connection:
        """Return the connection, inside the transaction."""
        if not self._lent.in_transaction():
            self._lent.begin()
        return self._lent

    def close(self) -> None:
        """Let go of what the ORM holds, where it was given anything."""
        if self.in_transaction() or len(self.identity_map):
            super().close()

    def commit_all(self) -> None:
        """Commit what the ORM and the connection were given; then do what waited for it."""
        if self.in_transaction():
            self.commit()
        if self._lent.in_transaction():
            self._lent.commit()
        for action in self._when_committed:
            action()

    def do_when_committed(self, action: Callable[[], None]) -> None:
        """Keep an action for the moment after the commit; forgotten where there is none."""
        self._when_committed.append(action)


class Database:
    """The service's database; rooms get sessions from the edge and only ever flush.

    Args:
        url: ``sqlite:////path/escrow.db`` or ``postgresql+psycopg://…``.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        self.writer = _engine(url, immediate=True)
        self.reader = _engine(url, immediate=False)
        self._turn = FairLock()
        self._writing_on: sa.Connection | None = None

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Give a session whose changes are committed together at the end, or not at all."""
        with (
            self._turn,
            self._writer_connection() as connection,
            _WritingSession(connection) as session,
        ):
            yield session
            session.commit_all()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a session for reading; nothing of it is ever committed."""
        with Session(self.reader, expire_on_commit=False) as session:
            yield session

    def close(self) -> None:
        """Close every pooled connection."""
        if self._writing_on is not None:
            self._writing_on.close()
            self._writing_on = None
        self.writer.dispose()
        self.reader.dispose()

    @contextmanager
    def _writer_connection(self) -> Iterator[sa.Connection]:
        """Lend the connection of a writing session; called in our turn.

        SQLite has one writer at a time, so one connection stays with the turn: taking it from the
        pool and handing it back costs a third as much as the commit. PostgreSQL's may die with
        the server or be many, and come from the pool, which notices.
        """
        if not self.is_sqlite:
            with self.writer.connect() as connection:
                yield connection
            return
        if self._writing_on is None:
            self._writing_on = self.writer.connect()
        try:
            yield self._writing_on
        finally:
            # What was not committed by now is not to be.
            if self._writing_on.in_transaction():
                self._writing_on.rollback()


def when_committed(session: Session, action: Callable[[], None]) -> None:
    """Do something once, right after a writing session's transaction is committed; else never.

    Raises:
        TypeError: the session only reads.
    """
    if not isinstance(session, _WritingSession):
        raise TypeError("a session that only reads commits nothing")
    session.do_when_committed(action)


def every_row(session: Session, model: type[_Row]) -> Iterator[_Row]:
    """Yield every row of a table, some thousand in memory at a time."""
    yield from session.exec(select(model).execution_options(yield_per=_ROWS_AT_A_TIME))


def _engine(url: str, *, immediate: bool) -> sa.Engine:
    return _sqlite(url, immediate) if url.startswith("sqlite") else _postgresql(url, immediate)


def _postgresql(url: str, immediate: bool) -> sa.Engine:
    limits = f"-c lock_timeout={BUSY_TIMEOUT_MILLISECONDS}"
    if immediate:
        limits += f" -c idle_in_transaction_session_timeout={IDLE_WRITER_MILLISECONDS}"
    engine = create_engine(
        url,
        # A reader sees one moment for as long as it reads, as on SQLite. A writer sees what the
        # one before it committed: its first statement waits for the lock, the next look anew.
        isolation_level="READ COMMITTED" if immediate else "REPEATABLE READ",
        # Our own writers take turns (FairLock), so a second connection is for set-up alone.
        pool_size=1 if immediate else POOL_SIZE,
        max_overflow=1 if immediate else POOL_OVERFLOW,
        # The server may have been restarted since; asked once for each loan, some 0.1 ms.
        pool_pre_ping=True,
        connect_args={"options": limits},
    )

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        if immediate:
            _take_turn(connection)
        else:
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")

    return engine


def _take_turn(connection: sa.Connection) -> None:
    """Wait for the writers' lock, which the transaction's end lets go of."""
    try:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITERS_LOCK})")
    except sa.exc.OperationalError as problem:
        if getattr(problem.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        seconds = BUSY_TIMEOUT_MILLISECONDS // 1000
        raise WritersBusy(
            f"Another process has been writing to the database for {seconds} seconds.",
            "Nothing of this request was kept; send it again in a minute.",
        ) from None


def _sqlite(url: str, immediate: bool) -> sa.Engine:
    engine = create_engine(
        url,
        # SQLAlchemy's own BEGIN is switched off here and issued by hand below.
        connect_args={"check_same_thread": False, "isolation_level": None},
        pool_size=20,
    )
    begin = "BEGIN IMMEDIATE" if immediate else "BEGIN"

    @sa.event.listens_for(engine, "connect")
    def _set_pragmas(connection: sqlite3.Connection, _: object) -> None:
        for pragma in (
            f"busy_timeout={BUSY_TIMEOUT_MILLISECONDS}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # Straight to the driver: the toolkit's way to so short a text takes twice as long as it.
        driver = cast("sqlite3.Connection", connection.connection.driver_connection)
        try:
            driver.execute(begin)
        except sqlite3.OperationalError as problem:
            raise sa.exc.OperationalError(begin, None, problem) from problem

    return engine
