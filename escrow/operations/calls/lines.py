"""One JSON line each way: what is asked of a process and what it answers, whatever carries it.

A request is ``{"verb": …, "arguments": {…}}``; an answer is ``{"result": …}`` or ``{"error":
{"family", "code", "reason", "remedy"}}``. A line is at most :data:`MAX_LINE_BYTES`. One connection
carries one call, so that nothing is remembered between two of them.

Who asks is established by the carrier, before the line is read: the kernel names the user of a
Unix socket's peer, the certificate names the process at the other end of a TCP connection. What
each may ask stands in one table, :attr:`Desk.may_ask`.
"""

from __future__ import annotations

import json
import logging
import re
import socket
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

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
from escrow.ledger.events import role_behind
from escrow.vault.errors import LaneClosed

# The longest answer holds one file key for each part of a deposit, a few hundred bytes each.
MAX_LINE_BYTES = 4 * 1024 * 1024

# A call waits for at most one write transaction of each process; ten of them is a fault.
CALL_TIMEOUT_SECONDS = 120.0

# What an id, a digest or a short word may be made of.
IDENTIFIER = re.compile(r"[A-Za-z0-9_.:-]{1,128}")

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

Verb = Callable[..., object]
_log = logging.getLogger("escrow.calls")


class BadCall(InvalidInput):
    """A call between two processes is not one that is known."""

    code = "calls.bad-call"


class CallNotAllowed(NotPermitted):
    """A process asks another for something that its role may not have."""

    code = "calls.not-allowed"


class CallFailed(Unavailable):
    """A process met an error of its own while it answered another."""

    code = "calls.failed"


# Errors that a caller tells from others of their family; they come back as what they were.
_TOLD_APART: dict[str, type[EscrowError]] = {
    kind.code: kind for kind in (LaneClosed, BadCall, CallNotAllowed)
}


class Line(Protocol):
    """The way to one process; each call has a connection of its own."""

    def connected(self) -> AbstractContextManager[socket.socket]:
        """Give a connection to the process, both sides known to each other.

        Raises:
            OSError: nobody answers there, or it is not the process that is meant.
        """
        ...


@dataclass(frozen=True)
class Desk:
    """Where a process answers.

    Args:
        verbs: what can be asked, by name.
        may_ask: for each role, the verbs that it may ask; a role that is not named asks nothing.
            A worker with a name (``worker/second``) may ask what its role may.
        argument: what every argument has to match as a whole.
        told_who_asks: verbs that get the asker's name as ``asker``, as the carrier has it.
    """

    verbs: Mapping[str, Verb]
    may_ask: Mapping[str, frozenset[str]]
    argument: re.Pattern[str] = IDENTIFIER
    told_who_asks: frozenset[str] = frozenset()

    def answer(self, role: str, unverified_line: bytes) -> bytes:
        """Return the answer to one request line of that role; never raises."""
        try:
            answer: dict[str, object] = {"result": self._result(role, unverified_line)}
        except EscrowError as error:
            answer = {"error": _describe(error)}
        except Exception:
            # The edge of a process: the caller is told that it is our fault, the log has the rest.
            _log.exception("a call by the %s failed", role)
            answer = {
                "error": _describe(
                    CallFailed(
                        "The process that was asked met an error of its own.",
                        "Nothing was released; the operator finds the cause in its log.",
                    )
                )
            }
        return json.dumps(answer).encode() + b"\n"

    def _result(self, role: str, unverified_line: bytes) -> object:
        name, arguments = _parsed(unverified_line)
        # Asked before anything else: whether a verb is there is not told to whom it is not for.
        if name not in self.may_ask.get(role_behind(role), frozenset()):
            raise CallNotAllowed(
                f"The {role} may not ask for {name[:40]!r}.",
                "Each process asks only for what its role needs; if both are of one version, "
                "have the operator look who holds that certificate.",
            )
        verb = self.verbs.get(name)
        if verb is None or not all(self.argument.fullmatch(one) for one in arguments.values()):
            raise _bad_call(name)
        if name in self.told_who_asks:
            # Laid over whatever the line says: who asks is the carrier's word alone.
            arguments = {**arguments, "asker": role}
        return verb(**arguments)


def ask(connection: socket.socket, verb: str, arguments: Mapping[str, str]) -> object:
    """Make one call on a connection and return its answer.

    Raises:
        OSError, ValueError: the connection broke, or what came is no answer.
        EscrowError: whatever the other process raised, of the same family, code and words.
    """
    connection.sendall(json.dumps({"verb": verb, "arguments": dict(arguments)}).encode() + b"\n")
    with connection.makefile("rb") as stream:
        answer = json.loads(stream.readline(MAX_LINE_BYTES))
    if not isinstance(answer, dict) or not answer.keys() & {"result", "error"}:
        raise ValueError("no answer of the expected form")
    if "error" in answer:
        raise _rebuild(answer["error"])
    result: object = answer["result"]
    return result


def _parsed(line: bytes) -> tuple[str, dict[str, str]]:
    try:
        request = json.loads(line)
        name, arguments = request["verb"], request["arguments"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise _bad_call("") from None
    if not isinstance(name, str) or not isinstance(arguments, dict):
        raise _bad_call("")
    if not all(isinstance(value, str) for value in arguments.values()):
        raise _bad_call(name)
    return name, arguments


def _bad_call(name: str) -> BadCall:
    return BadCall(
        f"The call {name[:40]!r} is not known in this form.",
        "Run all processes of the installation from the same version.",
    )


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
    # The code is the other process's own; the family's class attribute stays as it is.
    error.__dict__["code"] = described["code"]
    return error
