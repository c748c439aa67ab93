"""Live log lines on their way from a worker that runs apart to the portal that shows them.

The worker sends, since it has no port of its own. What it may ask of the portal is this and
nothing else; that it is the worker is its certificate's word (:mod:`escrow.operations.calls`).
"""

from __future__ import annotations

import base64
import binascii
import logging
import re
import threading
from dataclasses import dataclass

from escrow.ground.database import Database
from escrow.ground.errors import EscrowError
from escrow.ground.identifiers import ExaminationId
from escrow.operations.calls.lines import BadCall, Desk, Line, Verb, ask
from escrow.operations.keyholder.wire import WORKER
from escrow.verification import records
from escrow.verification.examinations import State, is_concluded
from escrow.verification.log import SLICE_BYTES
from escrow.verification.mirror import LogMirror, LogSender

# A person cannot tell this from at once; each look at an idle worker reads one folder.
LOOK_SECONDS = 0.2

# While the portal is away nothing is lost, so there is no hurry to ask again.
REST_SECONDS = 2.0

# Only a worker that died leaves a mirror behind, and readers of one are told that it ended.
CLEARING_SECONDS = 60.0

# A piece in base64 (RFC 4648, section 5), or an identifier, an offset; no blank and no slash.
_ARGUMENT = re.compile(rf"[A-Za-z0-9_=.:-]{{0,{SLICE_BYTES * 4 // 3 + 4}}}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

_log = logging.getLogger("escrow.logs")


def relay_desk(mirror: LogMirror) -> Desk:
    """Return where a portal takes live logs in."""

    def take(examination_id: str, writer: str, offset: str, data: str) -> int:
        _check_names(examination_id, writer)
        try:
            piece = base64.b64decode(data, b"-_", validate=True)
            return mirror.take(examination_id, writer, int(offset), piece)
        except (ValueError, binascii.Error):
            raise _not_a_piece() from None

    def end(examination_id: str, writer: str) -> None:
        _check_names(examination_id, writer)
        mirror.end(examination_id, writer)

    def drop(examination_id: str, writer: str) -> None:
        _check_names(examination_id, writer)
        mirror.drop(examination_id, writer)

    verbs: dict[str, Verb] = {"take-log": take, "end-log": end, "drop-log": drop}
    return Desk(verbs, {WORKER: frozenset(verbs)}, _ARGUMENT)


@dataclass(frozen=True)
class RemoteMirror:
    """A :class:`~escrow.verification.mirror.LogReceiver` at the other end of a line."""

    line: Line

    def take(self, examination_id: str, writer: str, offset: int, data: bytes) -> int:
        """Send a piece and return what is wanted next."""
        answer = self._ask(
            "take-log",
            examination_id=examination_id,
            writer=writer,
            offset=str(offset),
            data=base64.urlsafe_b64encode(data).decode(),
        )
        if not isinstance(answer, int):
            raise ValueError("no offset")
        return answer

    def end(self, examination_id: str, writer: str) -> None:
        """Say that a log ended."""
        self._ask("end-log", examination_id=examination_id, writer=writer)

    def drop(self, examination_id: str, writer: str) -> None:
        """Say that a log is gone."""
        self._ask("drop-log", examination_id=examination_id, writer=writer)

    def _ask(self, verb: str, **arguments: str) -> object:
        with self.line.connected() as connection:
            return ask(connection, verb, arguments)


def keep_relaying(sender: LogSender, stopping: threading.Event) -> None:
    """Send live logs until told to stop; a worker's loop, for a thread of its own."""
    is_away = False
    while not stopping.wait(REST_SECONDS if is_away else LOOK_SECONDS):
        try:
            sender.send_news()
            is_away = False
        except (OSError, ValueError, EscrowError) as problem:
            if not is_away:
                # Said once: a portal that restarts is no news every two seconds.
                _log.warning("live log lines wait, the portal does not take them: %s", problem)
            is_away = True


def keep_clearing(mirror: LogMirror, database: Database, stopping: threading.Event) -> None:
    """Delete the mirrors of concluded examinations until told to stop; a portal's loop."""

    def is_over(examination_id: str) -> bool:
        with database.reading() as session:
            row = records.examination_by_id(session, ExaminationId(examination_id))
        return row is None or is_concluded(State(row.state))

    while not stopping.wait(CLEARING_SECONDS):
        try:
            mirror.forget(is_over)
        except Exception:
            # A worker loop: a database that is away for a while must not end the clearing.
            _log.exception("mirrors of live logs could not be cleared; it is tried again")


def _check_names(*names: str) -> None:
    """Refuse what could be anything else in a path than one plain name."""
    if not all(_NAME.fullmatch(name) for name in names):
        raise _not_a_piece()


def _not_a_piece() -> BadCall:
    return BadCall(
        "This is no piece of a live log.",
        "Run all processes of the installation from the same version.",
    )
