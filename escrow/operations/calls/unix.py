"""Calls over a Unix socket: two processes of one machine, told apart by their users.

Only processes of the named users are answered: the kernel names the peer, whatever the mode of the
socket's file says. No role is told from another, since on one machine portal and worker are one
process.
"""

from __future__ import annotations

import contextlib
import os
import socket
import socketserver
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from escrow.operations.calls.lines import CALL_TIMEOUT_SECONDS, MAX_LINE_BYTES, Desk

# The role of whoever is answered here: portal and worker in one process.
SERVICE: Final = "service"


@dataclass(frozen=True)
class UnixLine:
    """The way to the process that listens on a socket of this machine."""

    path: Path

    @contextmanager
    def connected(self) -> Iterator[socket.socket]:
        """Give a connection.

        Raises:
            OSError: nobody listens there.
        """
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(CALL_TIMEOUT_SECONDS)
            connection.connect(str(self.path))
            yield connection


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Answers calls on a Unix socket; one thread a call, no state between calls.

    Args:
        path: where to listen; a socket left by a dead process is replaced.
        desk: what can be asked by the role :data:`SERVICE`.
        allowed_uids: users whose processes are answered.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: Path, desk: Desk, allowed_uids: frozenset[int]) -> None:
        path.unlink(missing_ok=True)
        self.desk = desk
        self.allowed_uids = allowed_uids
        before = os.umask(0o177)
        try:
            super().__init__(str(path), _Call)
        finally:
            os.umask(before)
        self._path = path
        self._inode = path.stat().st_ino

    def server_close(self) -> None:
        """Stop listening and remove our socket; one that a successor put in its place stays."""
        super().server_close()
        with contextlib.suppress(FileNotFoundError):
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()


class _Call(socketserver.StreamRequestHandler):
    """One request and its answer."""

    server: UnixServer
    timeout = CALL_TIMEOUT_SECONDS

    def handle(self) -> None:
        """Answer the one request of this connection."""
        if _peer_uid(self.connection) in self.server.allowed_uids:
            line = self.rfile.readline(MAX_LINE_BYTES)
            self.wfile.write(self.server.desk.answer(SERVICE, line))


def _peer_uid(connection: socket.socket) -> int:
    size = struct.calcsize("3i")
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    _pid, uid, _gid = struct.unpack("3i", packed)
    return int(uid)
