"""Whether anything was committed since: one number, asked without touching the disk.

SQLite counts the commits of all other connections and processes for each connection
(``PRAGMA data_version``); a connection that never commits therefore sees every one. PostgreSQL has
no such number, and there the answer is that nobody knows.
"""

from __future__ import annotations

import sqlite3

from escrow.ground.database import Database


class CommitWatch:
    """Tells states of a database apart; used from one thread."""

    def __init__(self, database: Database) -> None:
        self._is_sqlite = database.is_sqlite
        self._path = database.url.removeprefix("sqlite:///")
        self._connection: sqlite3.Connection | None = None

    def version(self) -> int | None:
        """Return a number that differs after any commit, None where that cannot be known."""
        if not self._is_sqlite:
            return None
        try:
            if self._connection is None:
                # Reads only, and only this: it must never count a commit of its own.
                self._connection = sqlite3.connect(
                    f"file:{self._path}?mode=ro",
                    uri=True,
                    isolation_level=None,
                    check_same_thread=False,
                )
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error:
            # A database that is not there yet, or away: whoever asks then goes the whole way.
            return None
