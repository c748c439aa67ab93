"""One service on one SQLite file: a lock that dies with its process.

A POSIX record lock: the system drops it when the process ends, however it ends, and a child that
was forked does not inherit it, so a keyholder that outlives its service blocks no successor.
Whoever holds it may treat every other executor in the file as dead.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from escrow.engine.errors import FileHeldByOther


class HeldFile:
    """The lock beside a database file, held from construction until :meth:`release`.

    Raises:
        FileHeldByOther: another process holds it.
    """

    def __init__(self, database: Path, holder: str) -> None:
        self.path = database.with_name(database.name + ".jobs-lock")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            other = os.read(self._descriptor, 200).decode(errors="replace").strip()
            os.close(self._descriptor)
            raise FileHeldByOther(
                f"Another service works on {database} ({other or 'it gave no name'}).",
                "Stop that one first, or give this one a home of its own by ESCROW_HOME.",
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"process {os.getpid()}, {holder}\n".encode(), 0)

    def release(self) -> None:
        """Let the next service in; the file stays, since removing it would race."""
        os.close(self._descriptor)
