"""How the service and the keyholder talk: one JSON line each way over a Unix socket.

A line is at most :data:`MAX_LINE_BYTES`. A request is ``{"verb": …, "arguments": {…}}``; an
answer is ``{"result": …}`` or ``{"error": {"family", "code", "reason", "remedy"}}``. Every
argument is an identifier: the keyholder looks everything else up itself, in the ledger and on
its own disk, so that whoever can reach the socket can ask but not assert.

Only processes of the service's own user (or root) are answered: the kernel names the peer.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import socket
import socketserver
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

from escrow.ground.errors import (
    EscrowError,
    InvalidInput,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    Refused,
    Tampered,
    Unavailable,
)
from escrow.vault.errors import LaneClosed

# The longest answer holds one file key for each part of a deposit, a few hundred bytes each.
MAX_LINE_BYTES = 4 * 1024 * 1024

# A call waits for at most one write transaction of each process; ten of them is a fault.
CALL_TIMEOUT_SECONDS = 120.0

_IDENTIFIER = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_FAMILIES: dict[str, type[EscrowError]] = {
    family.__name__: family
    for family in (
        InvalidInput,
        NotPermitted,
        Refused,
        NotAuthenticated,
        NotFound,
        Tampered,
        Unavailable,
    )
}

# Errors that a caller tells from others of their family; they come back as what they were.
_TOLD_APART: dict[str, type[EscrowError]] = {LaneClosed.code: LaneClosed}

Verb = Callable[..., object]
_log = logging.getLogger("escrow.keyholder")


class KeyholderOut(Unavailable):
    """The keyholder does not answer on its socket."""

    code = "keyholder.out"


class BadCall(InvalidInput):
    """A call to the keyholder is not one that it knows."""

    code = "keyholder.bad-call"


def call(socket_path: Path, verb: str, arguments: Mapping[str, str]) -> object:
    """Ask the keyholder for one thing and return its answer.

    Raises:
        KeyholderOut: nobody answers there.
        EscrowError: whatever the keyholder raised, of the same family, code and words.
    """
    line = json.dumps({"verb": verb, "arguments": dict(arguments)}).encode() + b"\n"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(CALL_TIMEOUT_SECONDS)
            connection.connect(str(socket_path))
            connection.sendall(line)
            with connection.makefile("rb") as stream:
                answer = json.loads(stream.readline(MAX_LINE_BYTES))
    except (OSError, ValueError) as problem:
        raise KeyholderOut(
            "The keyholder does not answer.",
            "Nothing was lost; try again in a moment, and have the operator look if it stays.",
        ) from problem
    if "error" in answer:
        raise _rebuild(answer["error"])
    result: object = answer["result"]
    return result


class KeyholderServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Answers calls on a Unix socket; one thread a call, no state between calls.

    Args:
        socket_path: where to listen; a socket left by a dead process is replaced.
        verbs: what can be asked, by name.
        allowed_uids: users whose processes are answered.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self, socket_path: Path, verbs: Mapping[str, Verb], allowed_uids: frozenset[int]
    ) -> None:
        socket_path.unlink(missing_ok=True)
        self.verbs = verbs
        self.allowed_uids = allowed_uids
        before = os.umask(0o177)
        try:
            super().__init__(str(socket_path), _Call)
        finally:
            os.umask(before)
        self._path = socket_path
        self._inode = socket_path.stat().st_ino

    def remove_socket(self) -> None:
        """Remove our socket; one that a successor has put in its place stays."""
        with contextlib.suppress(FileNotFoundError):
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()


class _Call(socketserver.StreamRequestHandler):
    """One request and its answer."""

    server: KeyholderServer

    def handle(self) -> None:
        """Answer the one request of this connection."""
        if _peer_uid(self.connection) not in self.server.allowed_uids:
            return
        try:
            answer: dict[str, object] = {"result": self._answer()}
        except EscrowError as error:
            answer = {"error": _describe(error)}
        except Exception:
            # The edge of a process: the caller is told that it is our fault, the log has the rest.
            _log.exception("a call to the keyholder failed")
            answer = {
                "error": _describe(
                    KeyholderOut(
                        "The keyholder met an error of its own.",
                        "Nothing was released; the operator finds the cause in its log.",
                    )
                )
            }
        self.wfile.write(json.dumps(answer).encode() + b"\n")

    def _answer(self) -> object:
        request = json.loads(self.rfile.readline(MAX_LINE_BYTES))
        verb = self.server.verbs.get(request["verb"])
        arguments = request["arguments"]
        well_formed = all(
            isinstance(value, str) and _IDENTIFIER.fullmatch(value) for value in arguments.values()
        )
        if verb is None or not well_formed:
            raise BadCall(
                f"The keyholder does not know the call {str(request['verb'])[:40]!r}.",
                "Run the service and the keyholder from the same version.",
            )
        return verb(**arguments)


def _peer_uid(connection: socket.socket) -> int:
    size = struct.calcsize("3i")
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    _pid, uid, _gid = struct.unpack("3i", packed)
    return int(uid)


def _describe(error: EscrowError) -> dict[str, str]:
    family = next(name for name, kind in _FAMILIES.items() if isinstance(error, kind))
    return {
        "family": family,
        "code": error.code,
        "reason": error.reason,
        "remedy": error.remedy,
    }


def _rebuild(described: Mapping[str, str]) -> EscrowError:
    family = _FAMILIES.get(described["family"], Unavailable)
    kind = _TOLD_APART.get(described["code"], family)
    error = kind(described["reason"], described["remedy"])
    # The code is the keyholder's own; the family's class attribute stays as it is.
    error.__dict__["code"] = described["code"]
    return error
