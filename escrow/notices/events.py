"""What the notices' room writes into the ledger: ids, kinds, and a commitment to the address."""

from __future__ import annotations

from collections.abc import Callable

from escrow.ground.digests import commitment
from escrow.ledger.events import NewEvent, Stream
from escrow.notices.records import NoticeRow

# Makes an event of a notice and of whoever did it.
EventOf = Callable[[NoticeRow, str], NewEvent]


def posted(row: NoticeRow, actor: str) -> NewEvent:
    """Return the event of a notice that was put into the outbox.

    The salt is in the row: whoever may see the address can show that it was this one.
    """
    data: dict[str, object] = {
        "notice_id": row.id,
        "key": row.key,
        "kind": row.kind,
        "reader": row.reader,
        "request_id": row.request_id,
        "address_commitment": commitment(row.salt, {"address": row.address}),
    }
    return _event(row, "posted", actor, data)


def sent(row: NoticeRow, actor: str) -> NewEvent:
    """Return the event of a letter that a mail server accepted; it starts no clock."""
    return _event(row, "sent", actor, _attempts(row))


def failed(row: NoticeRow, actor: str) -> NewEvent:
    """Return the event of a notice that is not tried any more."""
    return _event(row, "failed", actor, _attempts(row))


def retried(row: NoticeRow, actor: str) -> NewEvent:
    """Return the event of a failed notice that somebody put back into the outbox."""
    return _event(row, "retried", actor, {"notice_id": row.id})


def _attempts(row: NoticeRow) -> dict[str, object]:
    # The answer's two codes are two words: the ledger takes no blank.
    answer = (row.answer or "").split(" ")
    return {"notice_id": row.id, "attempts": row.attempts, "answer": answer}


def _event(row: NoticeRow, action: str, actor: str, data: dict[str, object]) -> NewEvent:
    return NewEvent(Stream("agreement", row.agreement_id), f"notices:notice:{action}", actor, data)
