"""Databases for trials: a SQLite file in the trial's folder, or whatever a test run puts instead.

A world asks here for its database by its folder; the same folder gives the same database, so that
a second world on it is a restart.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol


class TrialDatabases(Protocol):
    """Where trial databases come from."""

    def url(self, folder: Path) -> str:
        """Return the address of a folder's database; made when there is none yet."""
        ...

    def copy(self, source: Path, target: Path) -> None:
        """Give a folder a copy of another's database, which nobody is connected to.

        The folders' own files have been copied already.
        """
        ...

    def keep(self, folder: Path) -> None:
        """Keep a copy of a database as it is now; nobody is connected."""
        ...

    def put_back(self, folder: Path) -> None:
        """Put the copy in the database's place; nobody is connected."""
        ...

    def tamper(self, folder: Path, statement: str, values: tuple[object, ...]) -> None:
        """Change a database as somebody does who owns it: no trigger and no key stops him.

        Args:
            folder: whose database it is.
            statement: with ``?`` where values stand.
            values: text, numbers or bytes.
        """
        ...


class SqliteFiles:
    """A file in the folder itself."""

    def url(self, folder: Path) -> str:
        """Return the address of the file."""
        return f"sqlite:///{folder / 'ledger.db'}"

    def copy(self, source: Path, target: Path) -> None:
        """Do nothing: the file was copied with its folder."""

    def keep(self, folder: Path) -> None:
        """Copy the file; whoever closed it last has emptied its log into it."""
        shutil.copy(folder / "ledger.db", folder / "kept.db")

    def put_back(self, folder: Path) -> None:
        """Put the copy in the file's place, without any log of the other."""
        for name in ("ledger.db-wal", "ledger.db-shm"):
            (folder / name).unlink(missing_ok=True)
        shutil.copy(folder / "kept.db", folder / "ledger.db")

    def tamper(self, folder: Path, statement: str, values: tuple[object, ...]) -> None:
        """Drop every trigger, and run the statement."""
        connection = sqlite3.connect(folder / "ledger.db", isolation_level=None)
        named = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (trigger,) in named.fetchall():
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute(statement, values)
        connection.close()


_in_use: list[TrialDatabases] = [SqliteFiles()]


def trial_databases() -> TrialDatabases:
    """Return where databases come from at the moment."""
    return _in_use[-1]


@contextmanager
def instead(databases: TrialDatabases) -> Iterator[None]:
    """Have databases come from somewhere else for a while."""
    _in_use.append(databases)
    try:
        yield
    finally:
        _in_use.pop()
