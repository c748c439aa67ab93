"""The scribe: every room writes its events through one, in the transaction of the change itself.

Guarantees: the entry commits with the change or not at all; it is signed by the process's role,
numbered in its stream without a gap, and names the entry before it by hash. It does not make
leaves: the keyholder's sequencer does, later, in another process.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from escrow.ground.clock import Clock
from escrow.ground.database import Session
from escrow.ground.digests import Sha256Hex
from escrow.ground.signatures import Signer
from escrow.ledger import records
from escrow.ledger.entries import sign_entry
from escrow.ledger.events import Event, NewEvent, Role, Stream

NONCE_BYTES = 32


@dataclass(frozen=True)
class Entry:
    """An event written down.

    Args:
        number: order of insertion; not the leaf index, which comes with sequencing.
        entry_sha256: digest of the bytes; the name by which a proof is asked for.
        stream: the history that it belongs to.
        stream_sequence: place in the stream, from 0.
        at: the time that the entry states, UTC, whole milliseconds.
        bytes: exactly what was signed, digested and stored.
    """

    number: int
    entry_sha256: Sha256Hex
    stream: Stream
    stream_sequence: int
    at: datetime
    bytes: bytes


class Scribe:
    """Writes events in the name of one process role.

    Args:
        role: the process that this is.
        signer: the role's key.
        clock: source of the time in the events.
    """

    def __init__(self, role: Role, signer: Signer, clock: Clock) -> None:
        self.role = role
        self._signer = signer
        self._clock = clock

    def append(self, session: Session, new: NewEvent) -> Entry:
        """Write an event into the caller's open transaction.

        Raises:
            StreamBusy: another transaction took the same place: it wrote without its turn.
        """
        head = records.stream_head(session, new.stream)
        now = self._clock.now()
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        event = Event(
            stream=new.stream,
            sequence=head.sequence + 1 if head else 0,
            previous=head.entry_sha256 if head else None,
            type=new.type,
            role=self.role,
            actor=new.actor,
            # A clock that was set back must not make history run backwards.
            at=max(now, head.at) if head else now,
            nonce=secrets.token_hex(NONCE_BYTES),
            data=new.data,
        )
        entry = sign_entry(event, self._signer)
        digest = Sha256Hex(hashlib.sha256(entry).hexdigest())
        number = records.insert_entry(session, event, digest, entry)
        return Entry(number, digest, event.stream, event.sequence, event.at, entry)
