"""The outbox: what is to be told, written down in the transaction of what happened.

Guarantees: a notice exists exactly if what it tells of was committed; one key is one notice, for
ever. Nothing is sent here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from escrow.ground.database import Session
from escrow.ground.digests import new_salt
from escrow.ground.identifiers import AgreementId, new_id
from escrow.ground.mailboxes import mailbox_of
from escrow.ledger.appending import Scribe
from escrow.notices import events, records
from escrow.notices.delivery import UNMAILABLE, State
from escrow.notices.errors import (
    NoticeKeyTaken,
    NoticeNotFailed,
    NoticeUnknown,
    NoticeUnmailable,
)
from escrow.notices.notices import Kind, LastDay, NoticeToSend, Reader
from escrow.notices.records import NoticeRow
from escrow.parties.records import add_if_free

# One page of the operator's list.
PAGE_NOTICES = 100


def post(
    session: Session, scribe: Scribe, notice: NoticeToSend, *, actor: str, now: datetime
) -> str:
    """Put a notice into the outbox and return its id; the same key again changes nothing.

    What was said the first time stands, also where an address or a day has changed meanwhile.

    Args:
        session: open for writing, in the transaction of what is told.
        scribe: writes the event.
        notice: what is told, and whom.
        actor: id of whoever did what is told.
        now: UTC.

    Raises:
        NoticeKeyTaken: the key names a notice of another kind, agreement, request or reader.
    """
    row = _row_of(notice, now)
    if not add_if_free(session, row):
        return _same(session, notice).id
    scribe.append(session, events.posted(row, actor))
    if row.failed_at is not None:
        scribe.append(session, events.failed(row, actor))
    return row.id


def retry(session: Session, scribe: Scribe, notice_id: str, *, actor: str, now: datetime) -> None:
    """Put a notice that failed back into the outbox, with all its time before it.

    Raises:
        NoticeUnknown: there is none.
        NoticeNotFailed: it was sent, or is tried anyway.
        NoticeUnmailable: its address stands in no mail.
    """
    row = records.hold(session, notice_id)
    if row is None:
        raise NoticeUnknown
    if row.failed_at is None:
        raise NoticeNotFailed(
            f"The notice is {state_of(row)}.", "Only a notice that failed is tried again by hand."
        )
    if mailbox_of(row.address) is None:
        raise NoticeUnmailable(
            "The notice's address can stand in no mail.",
            "Tell the person in another way, and have the address corrected by the party.",
        )
    row.failed_at, row.answer, row.first_attempt_at, row.attempts = None, None, None, 0
    row.next_attempt_at = now
    records.keep(session, row)
    scribe.append(session, events.retried(row, actor))


def list_notices(
    session: Session, *, only_failed: bool = False, before: str | None = None
) -> Sequence[NoticeRow]:
    """Return a page of notices, newest first, for the operator: addresses are in it.

    Args:
        session: open for reading.
        only_failed: only those that are not tried any more.
        before: id of the last notice of the page before.
    """
    return records.page(session, only_failed=only_failed, before=before, limit=PAGE_NOTICES)


def state_of(row: NoticeRow) -> State:
    """Return how far a notice got."""
    if row.sent_at is not None:
        return "sent"
    return "waiting" if row.failed_at is None else "failed"


def notice_of(row: NoticeRow) -> NoticeToSend:
    """Return the notice that a row keeps.

    Raises:
        BadNotice, ValueError: the row was written by a newer version, or by another hand.
    """
    last_day = LastDay(row.last_day, row.calendar) if row.last_day is not None else None
    return NoticeToSend(
        key=row.key,
        kind=Kind(row.kind),
        reader=Reader(row.reader),
        to=row.address,
        agreement_id=AgreementId(row.agreement_id),
        request_id=row.request_id,
        last_day=last_day,
        path=row.path,
        language=row.language,
    )


def _row_of(notice: NoticeToSend, now: datetime) -> NoticeRow:
    # Written once: whoever posts needs no right to change what is in the outbox.
    is_mailable = mailbox_of(notice.to) is not None
    return NoticeRow(
        id=new_id("ntc"),
        key=notice.key,
        kind=notice.kind.value,
        reader=notice.reader.value,
        agreement_id=notice.agreement_id,
        request_id=notice.request_id,
        last_day=notice.last_day.day if notice.last_day else None,
        calendar=notice.last_day.calendar if notice.last_day else None,
        path=notice.path,
        language=notice.language,
        address=notice.to,
        salt=new_salt(),
        posted_at=now,
        next_attempt_at=now if is_mailable else None,
        failed_at=None if is_mailable else now,
        answer=None if is_mailable else UNMAILABLE,
    )


def _same(session: Session, notice: NoticeToSend) -> NoticeRow:
    row = records.by_key(session, notice.key)
    asked = (notice.kind, notice.reader, notice.agreement_id, notice.request_id)
    if row is None or (row.kind, row.reader, row.agreement_id, row.request_id) != asked:
        raise NoticeKeyTaken(
            f"The key {notice.key!r} names another notice.",
            "Make the key of the request, the kind and the reader.",
        )
    return row
