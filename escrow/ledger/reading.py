"""Reading history back: the entries of one stream, in order, as the rows hold them.

What is returned is parsed but not proven; who decides by it verifies proofs or runs the check of
the whole ledger. Pages are by sequence number, so reading never slows down with the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass

from escrow.ground.database import Session
from escrow.ground.digests import Sha256Hex
from escrow.ledger import records
from escrow.ledger.entries import parse_entry
from escrow.ledger.events import Event, Stream

# A page that a person or a client can take in; the caller asks for the next by sequence.
PAGE_ENTRIES = 100


@dataclass(frozen=True)
class RecordedEvent:
    """An event as stored.

    Args:
        number: order of insertion.
        entry_sha256: name by which a proof is asked for.
        event: what was written.
    """

    number: int
    entry_sha256: Sha256Hex
    event: Event


def read_stream(
    session: Session, stream: Stream, *, from_sequence: int = 0, limit: int = PAGE_ENTRIES
) -> list[RecordedEvent]:
    """Return up to limit events of a stream from a sequence number on, oldest first.

    Raises:
        EntryMalformed: a row holds no entry.
    """
    rows = records.stream_entries(session, stream, from_sequence, limit)
    return [
        RecordedEvent(row.number, row.entry_sha256, parse_entry(row.entry).event) for row in rows
    ]


def read_bytes(
    session: Session, stream: Stream, *, from_sequence: int = 0, limit: int = PAGE_ENTRIES
) -> list[bytes]:
    """Return the bytes of up to limit entries of a stream, oldest first, not even parsed."""
    rows = records.stream_entries(session, stream, from_sequence, limit)
    return [row.entry for row in rows]


def read_newest(session: Session, stream: Stream, limit: int = PAGE_ENTRIES) -> list[RecordedEvent]:
    """Return the newest events of a stream, newest first.

    Raises:
        EntryMalformed: a row holds no entry.
    """
    head = records.stream_head(session, stream)
    if head is None:
        return []
    first = max(0, head.sequence - limit + 1)
    return read_stream(session, stream, from_sequence=first, limit=limit)[::-1]
