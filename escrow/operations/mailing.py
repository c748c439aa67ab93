"""The sender of notices as the settings want it, and the loop that it runs in."""

from __future__ import annotations

import logging
import threading

from escrow.evidence.trustroot import TrustRoot
from escrow.ground.clock import Clock
from escrow.ground.database import Database
from escrow.ground.settings import Settings
from escrow.ledger.appending import Scribe
from escrow.notices.letters import Letterhead
from escrow.notices.sending import Sender
from escrow.notices.smtp import SmtpServer

# A notice leaves within seconds of what it tells; each look is one indexed read.
ROUND_SECONDS = 5.0

_log = logging.getLogger("escrow.notices")


def sender_of(
    settings: Settings, root: TrustRoot, database: Database, scribe: Scribe, clock: Clock
) -> Sender | None:
    """Return the sender, None where no mail server is set: notices then stay in the outbox.

    Args:
        settings: checked.
        root: has the service's name.
        database: the service's.
        scribe: of the worker.
        clock: the service's.

    Raises:
        MailIncomplete, MailPasswordInClear: the mail server's settings do not go together.
    """
    mail = settings.mail
    if mail is None:
        return None
    letterhead = Letterhead(
        service=root.service,
        environment=settings.env,
        public_url=settings.public_url.rstrip("/"),
        sender=mail.sender,
        reply_to=mail.reply_to,
    )
    return Sender(database, scribe, clock, SmtpServer(mail), letterhead)


def keep_sending(
    sender: Sender, stopping: threading.Event, round_seconds: float = ROUND_SECONDS
) -> None:
    """Send what is due until told to stop; a worker's loop, for a thread of its own."""
    while not stopping.wait(round_seconds):
        try:
            sender.send_due(stopping.is_set)
        except Exception:
            # A worker loop: a database that is away for a while must not end the sending.
            _log.exception("notices could not be sent; it is tried again")
