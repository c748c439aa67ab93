"""Rules by which one row of the ledger is judged: by its own bytes and the entry before it.

Pure: the sequencer asks before it signs, the check of the whole ledger asks of every row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from escrow.ground.signatures import PublicKey
from escrow.ledger.entries import SignedEvent, parse_entry
from escrow.ledger.errors import (
    EntryForged,
    EntryRowRewritten,
    ProofFails,
    RowUnreadable,
    StreamForked,
    StreamGap,
    TimeRunsBack,
)
from escrow.ledger.rows import StoredEntry, StreamHead


def check_entry(
    row: StoredEntry, before: StreamHead | None, roles: Mapping[str, PublicKey]
) -> SignedEvent:
    """Return the event of a row that is what it claims to be.

    1. The digest column is the bytes' digest. 2. The bytes are an entry. 3. The other columns
    repeat it. 4. A pinned role signed it. 5. It follows the entry before it.

    Args:
        row: as stored.
        before: the entry before it in its stream; None when it must be the first.
        roles: role name to key.

    Raises:
        EntryRowRewritten: question 1 or 3 is answered no.
        EntryForged: question 2 or 4 is answered no.
        StreamGap: its number does not follow.
        StreamForked: it names another predecessor.
        TimeRunsBack: it claims an earlier time than its predecessor.
    """
    # 1. digest
    # SQLite keeps text in a column of bytes when it is told to; that is no entry either.
    if (
        not isinstance(row.entry, bytes)
        or hashlib.sha256(row.entry).hexdigest() != row.entry_sha256
    ):
        raise EntryRowRewritten(
            f"Entry {row.number}: the bytes do not have the digest beside them."
        )
    try:
        # 2. form
        signed = parse_entry(row.entry)
        # 3. columns
        _check_columns(row, signed)
        # 4. role
        signed.check_role_signature(roles)
    except ProofFails as problem:
        raise EntryForged(f"Entry {row.number}: {problem.reason}") from problem
    # 5. place
    _check_place(row, signed, before)
    return signed


def _check_columns(row: StoredEntry, signed: SignedEvent) -> None:
    event = signed.event
    columns = (row.stream_kind, row.stream_id, row.stream_sequence, row.type, row.at)
    if columns != (event.stream.kind, event.stream.id, event.sequence, event.type, event.at):
        raise EntryRowRewritten(f"Entry {row.number}: a column contradicts the signed event.")


def _check_place(row: StoredEntry, signed: SignedEvent, before: StreamHead | None) -> None:
    event = signed.event
    where = f"Entry {row.number} (number {event.sequence} of {event.stream})"
    if event.sequence != (before.sequence + 1 if before else 0):
        raise StreamGap(f"{where} does not follow the entry before it: one is missing or too many.")
    if event.previous != (before.entry_sha256 if before else None):
        raise StreamForked(f"{where} names another entry as its predecessor.")
    if before and event.at < before.at:
        raise TimeRunsBack(f"{where} claims an earlier time than its predecessor.")


@contextmanager
def readable_rows() -> Iterator[None]:
    """Say of a value that its column cannot hold that the ledger is broken, not this program."""
    try:
        yield
    except (TypeError, ValueError, OverflowError) as problem:
        raise RowUnreadable(f"A row of the ledger cannot be read: {problem}.") from problem
