"""The sender: takes what is due out of the outbox and hands it to a mail server, again and again.

Order of effects: claim (attempt counted, lease taken, Message-ID fixed) → hand over → record. A
kill after the hand-over leaves a claimed notice, which is sent again when its lease ends: at least
once, recognisable by its Message-ID. No transaction is open while a server is spoken to.

One notice never blocks another: each has its own pause. When it is the server that is in trouble
the round ends, and the next begins with another notice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from escrow.ground.clock import Clock
from escrow.ground.database import Database
from escrow.ground.mailboxes import mailbox_of
from escrow.ledger.appending import Scribe
from escrow.ledger.errors import StreamBusy
from escrow.notices import events, records
from escrow.notices.delivery import (
    LEASE,
    NO_LETTER,
    UNMAILABLE,
    MailServer,
    Outcome,
    is_given_up,
    pause_after,
)
from escrow.notices.letters import Letter, Letterhead, compose
from escrow.notices.outbox import notice_of
from escrow.notices.records import NoticeRow

# In the ledger, who sends: no person.
SENDER = "outbox"

# On PostgreSQL another transaction may take the agreement's next place while we record; what was
# sent must then not be sent again for want of a second try.
RECORD_ATTEMPTS = 10

_log = logging.getLogger("escrow.notices")


def _goes_on() -> bool:
    return False


@dataclass(frozen=True)
class Claimed:
    """A notice that is ours to send until its lease ends."""

    row: NoticeRow
    attempt: int


@dataclass(frozen=True)
class Sender:
    """Sends what is due; any number of them may work on one database.

    Args:
        database: opened for each step by itself.
        scribe: of the worker.
        clock: source of every moment that is written down.
        server: takes the letters.
        letterhead: who writes.
    """

    database: Database
    scribe: Scribe
    clock: Clock
    server: MailServer
    letterhead: Letterhead

    def send_due(self, is_stopping: Callable[[], bool] = _goes_on) -> int:
        """Try every notice that is due once, and return how many a server accepted.

        Args:
            is_stopping: asked before each letter; what is left stays due.
        """
        accepted = 0
        while not is_stopping():
            claimed = self._claim()
            if claimed is None:
                break
            outcome = self._attempt(claimed.row)
            self._record(claimed, outcome)
            accepted += outcome.result == "accepted"
            if outcome.is_server_trouble:
                _log.warning("the mail server takes no letters now (%s)", outcome.answer)
                break
        return accepted

    def _claim(self) -> Claimed | None:
        now = self.clock.now()
        with self.database.writing() as session:
            row = records.next_due(session, now)
            if row is None:
                return None
            row.attempts += 1
            row.first_attempt_at = row.first_attempt_at or now
            row.next_attempt_at = now + LEASE
            row.message_id = row.message_id or self.letterhead.message_id(row.key)
            records.keep(session, row)
        return Claimed(row, row.attempts)

    def _attempt(self, row: NoticeRow) -> Outcome:
        try:
            letter = self._letter(row)
            if letter is None:
                return Outcome("refused", UNMAILABLE)
            return self.server.deliver(letter)
        except Exception:
            # A worker's loop: one row that nobody can make a letter of must not stop the others.
            _log.exception("notice %s could not be made into a letter", row.id)
            return Outcome("deferred", NO_LETTER)

    def _letter(self, row: NoticeRow) -> Letter | None:
        mailbox = mailbox_of(row.address)
        if mailbox is None:
            return None
        message_id = row.message_id or self.letterhead.message_id(row.key)
        return compose(notice_of(row), mailbox, row.posted_at, message_id, self.letterhead)

    def _record(self, claimed: Claimed, outcome: Outcome) -> None:
        for attempt in range(1, RECORD_ATTEMPTS + 1):
            try:
                self._record_once(claimed, outcome)
            except StreamBusy:
                if attempt == RECORD_ATTEMPTS:
                    raise
            else:
                return

    def _record_once(self, claimed: Claimed, outcome: Outcome) -> None:
        now = self.clock.now()
        with self.database.writing() as session:
            row = records.hold(session, claimed.row.id)
            if row is None or row.next_attempt_at is None:
                # Somebody whose lease began when ours had ended was faster.
                return
            if outcome.result != "accepted" and row.attempts != claimed.attempt:
                # Somebody else tries it at this moment; his outcome is the later one.
                return
            event = _settle(row, outcome, now)
            records.keep(session, row)
            if event is not None:
                self.scribe.append(session, event(row, SENDER))


def _settle(row: NoticeRow, outcome: Outcome, now: datetime) -> events.EventOf | None:
    """Write an outcome into the row; return the event of a final one."""
    row.answer = outcome.answer
    if outcome.result == "accepted":
        row.sent_at, row.next_attempt_at = now, None
        return events.sent
    is_over = row.first_attempt_at is not None and is_given_up(row.first_attempt_at, now)
    if outcome.result == "deferred" and not is_over:
        row.next_attempt_at = now + pause_after(row.attempts)
        return None
    row.failed_at, row.next_attempt_at = now, None
    why = "was refused" if outcome.result == "refused" else "is given up"
    _log.error(
        "notice %s (%s) of agreement %s %s after %d attempts, last answer %s: tell the reader in "
        "another way, or 'escrow admin notices --retry %s'",
        *(row.id, row.kind, row.agreement_id, why, row.attempts, row.answer, row.id),
    )
    return events.failed
