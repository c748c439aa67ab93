"""From a notice to the bytes of a mail: plain text, 72 columns, references only.

Guarantees: the same notice under the same letterhead is the same bytes, whenever it is composed,
so that a repetition is the same mail; every header is built by the standard library from values
that hold no line end. Addresses of ours are not broken over lines, however long.
"""

from __future__ import annotations

import email.policy
import textwrap
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from escrow.ground.digests import sha256_hex
from escrow.ground.settings import Environment
from escrow.notices.notices import LastDay, NoticeToSend
from escrow.notices.texts import Language, Wording, language_of

COLUMNS = 72

# Half a SHA-256: nobody has to find another key that gives the same, it only must not happen.
_MESSAGE_ID_CHARS = 32

# RFC 5322, section 2.1.1.
_MAX_LINE_CHARS = 998

# Headers stay on one line: a subject that begins after a fold is lost in some readers' programs.
_POLICY = email.policy.SMTP.clone(max_line_length=_MAX_LINE_CHARS)


@dataclass(frozen=True)
class Letterhead:
    """Who writes.

    Args:
        service: the service's name, as the trust root has it.
        environment: stamped on every letter unless it is production.
        public_url: the address that readers reach the service by, without a trailing slash.
        sender: mailbox that letters come from.
        reply_to: mailbox that answers go to.
    """

    service: str
    environment: Environment
    public_url: str
    sender: str
    reply_to: str

    def message_id(self, key: str) -> str:
        """Return the Message-ID of the notice with that key; the same key gives the same."""
        digest = sha256_hex(b"escrow-notice/1\0" + key.encode())
        return f"<{digest[:_MESSAGE_ID_CHARS]}@{self.sender.rpartition('@')[2]}>"


@dataclass(frozen=True)
class Letter:
    """A mail that is ready to be handed to a server.

    Args:
        sender: mailbox of the envelope; a bounce goes there.
        recipient: mailbox of the envelope; the only one.
        content: the whole message, ASCII, lines ended by CR LF.
    """

    sender: str
    recipient: str
    content: bytes


def compose(
    notice: NoticeToSend,
    mailbox: str,
    posted_at: datetime,
    message_id: str,
    letterhead: Letterhead,
) -> Letter:
    """Return the letter of a notice.

    Args:
        notice: what is said.
        mailbox: of the reader, in its form on the wire.
        posted_at: when it was posted; the Date of the letter, also of a repetition.
        message_id: see :meth:`Letterhead.message_id`; fixed at the first attempt.
        letterhead: who writes.
    """
    wording = language_of(notice.language).wordings[notice.kind]
    message = EmailMessage(policy=_POLICY)
    message["From"] = Address(letterhead.service, addr_spec=letterhead.sender)
    message["To"] = Address(addr_spec=mailbox)
    message["Reply-To"] = Address(addr_spec=letterhead.reply_to)
    message["Subject"] = _subject(notice, wording, letterhead)
    message["Date"] = format_datetime(posted_at)
    message["Message-ID"] = message_id
    # RFC 3834, section 5: so that no absence note and no other machine answers.
    message["Auto-Submitted"] = "auto-generated"
    text = text_of(notice, letterhead)
    message.set_content(text, cte=_encoding(text))
    return Letter(letterhead.sender, mailbox, message.as_bytes())


def text_of(notice: NoticeToSend, letterhead: Letterhead) -> str:
    """Return the text of a letter."""
    language = language_of(notice.language)
    wording = language.wordings[notice.kind]
    parts = [
        _filled(wording.happened),
        _values(notice, language, letterhead),
        f"{language.labels['to_do']}:\n{_filled(wording.to_do[notice.reader])}",
        _filled(language.closing),
        f"-- \n{letterhead.service}",
    ]
    if letterhead.environment != "production":
        parts.insert(0, _filled(language.trial.format(environment=letterhead.environment)))
    return "\n\n".join(parts) + "\n"


def _subject(notice: NoticeToSend, wording: Wording, letterhead: Letterhead) -> str:
    is_trial = letterhead.environment != "production"
    stamp = f"[{letterhead.environment}] " if is_trial else ""
    return f"{stamp}{letterhead.service}: {wording.subject} ({notice.agreement_id})"


def _values(notice: NoticeToSend, language: Language, letterhead: Letterhead) -> str:
    lines = [("agreement", str(notice.agreement_id))]
    if notice.request_id is not None:
        lines.append(("request", notice.request_id))
    if notice.last_day is not None:
        lines.append(("last_day", _day(notice.last_day, language)))
    lines.append(("place", f"{letterhead.public_url}{notice.place}"))
    width = max(len(language.labels[name]) for name, _ in lines) + 2
    shown = [f"{language.labels[name] + ':':<{width}}{value}" for name, value in lines]
    if notice.last_day is not None:
        shown.append(_filled(language.days_end))
    return "\n".join(shown)


def _day(last: LastDay, language: Language) -> str:
    if last.calendar is None:
        return last.day.isoformat()
    return f"{last.day.isoformat()} ({language.calendar.format(calendar=last.calendar)})"


def _filled(text: str) -> str:
    return textwrap.fill(text, COLUMNS, break_long_words=False, break_on_hyphens=False)


def _encoding(text: str) -> str:
    # Read as it is wherever that can travel; else in a form that every server passes on unchanged.
    longest = max(map(len, text.splitlines()))
    is_plain = text.isascii() and longest <= _MAX_LINE_CHARS
    return "7bit" if is_plain else "quoted-printable"
