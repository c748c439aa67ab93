"""A stretch of one stream, proven whole: nothing in it was changed, and nothing was left out.

Each entry names the one before it by digest, so an inclusion proof of the *last* entry proves the
stretch; a reader needs one proof for a whole history. What came after the last entry it cannot
show: whoever must not miss that compares with a head that he knows (:class:`StreamHeads`, or a
later proof). The verifying half needs no database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from escrow.ground.database import Session
from escrow.ground.digests import Sha256Hex
from escrow.ground.errors import InvalidInput
from escrow.ground.signatures import PublicKey
from escrow.ledger.entries import SignedEvent, parse_entry
from escrow.ledger.errors import ChainBroken
from escrow.ledger.events import Event, Stream
from escrow.ledger.proofs import proof_of
from escrow.ledger.reading import PAGE_ENTRIES, read_bytes
from escrow.ledger.verifying import LedgerProof, TrustedLogKeys, VerifiedEvent, verify_proof


@dataclass(frozen=True)
class Chain:
    """Entries of one stream in order, as they travel; nothing of it is proven.

    Args:
        entries: bytes of the entries, without a gap.
        proof: of the last one.
    """

    entries: tuple[bytes, ...]
    proof: LedgerProof

    def to_json(self) -> dict[str, object]:
        """Return the form that a client is sent; the entries are ASCII."""
        return {
            "entries": [entry.decode("ascii") for entry in self.entries],
            "proof": self.proof.to_json(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Chain:
        """Return the chain that a document holds.

        Raises:
            ChainBroken: it holds none.
        """
        try:
            entries = tuple(str(one).encode("ascii") for one in value["entries"])
            return cls(entries, LedgerProof.from_json(value["proof"]))
        except (KeyError, TypeError, ValueError, AttributeError, InvalidInput):
            raise ChainBroken("What was sent is no chain of ledger entries.") from None


@dataclass(frozen=True)
class ChainedEvent:
    """An event of a proven chain.

    Args:
        key_id: of its role's key, which signed it; empty where events are read without their proof.
    """

    entry_sha256: Sha256Hex
    event: Event
    key_id: str = ""


@dataclass(frozen=True)
class ProvenChain:
    """A chain about which every question was answered yes.

    Args:
        events: in order.
        head: the proven record of the last one, with leaf and checkpoint.
    """

    events: tuple[ChainedEvent, ...]
    head: VerifiedEvent

    @property
    def head_sha256(self) -> Sha256Hex:
        """Name of the last entry."""
        return self.events[-1].entry_sha256

    def place_of(self, entry_sha256: object) -> int | None:
        """Return where an entry stands in the chain, None where it does not."""
        return next(
            (at for at, one in enumerate(self.events) if one.entry_sha256 == entry_sha256), None
        )


def verify_chain(chain: Chain, keys: TrustedLogKeys, stream: Stream) -> ProvenChain:
    """Return the chain's events once they are proven.

    1. The last entry stands in the signed tree, written by its role. 2. Every entry is of this
    stream, numbered without a gap. 3. Every entry names the one before it by digest. 4. Every
    entry was signed by the role that it names.

    The caller still must check that the chain begins early and ends late enough for his question.

    Raises:
        ProofFails: question 1, by its own names.
        ChainBroken: question 2 or 3, or the proof is of another entry.
        EntryMalformed, RoleUnknown, RoleSignatureWrong: question 4.
    """
    # 1. the head
    head = verify_proof(chain.proof, keys)
    if not chain.entries or chain.entries[-1] != chain.proof.entry:
        raise ChainBroken("The proof is not of the last entry of the chain.")
    signed = [parse_entry(entry) for entry in chain.entries]
    # 2. and 3. no gap, no other
    _check_links(signed, stream)
    # 4. roles
    for one in signed:
        one.check_role_signature(keys.roles)
    return ProvenChain(tuple(_chained(one) for one in signed), head)


def read_chain(session: Session, stream: Stream, *, from_sequence: int = 0) -> Chain | None:
    """Return a stream from a number on, up to the newest entry that is sequenced.

    None when no entry is.
    """
    entries = _all_bytes(session, stream, from_sequence)
    while entries:
        proof = proof_of(session, parse_entry(entries[-1]).entry_sha256)
        if proof is not None:
            return Chain(tuple(entries), proof)
        # Written, not sequenced yet: it counts for nobody.
        entries.pop()
    return None


def signed_events(chain: Chain, roles: Mapping[str, PublicKey]) -> list[ChainedEvent]:
    """Return the events of a chain of our own database, each signed by its role; not proven.

    Raises:
        EntryMalformed, RoleUnknown, RoleSignatureWrong: a row was changed.
    """
    signed = [parse_entry(entry) for entry in chain.entries]
    for one in signed:
        one.check_role_signature(roles)
    return [_chained(one) for one in signed]


def _chained(signed: SignedEvent) -> ChainedEvent:
    return ChainedEvent(signed.entry_sha256, signed.event, signed.key_id)


def _check_links(signed: Sequence[SignedEvent], stream: Stream) -> None:
    before: SignedEvent | None = None
    for one in signed:
        event = one.event
        if event.stream != stream:
            raise ChainBroken(f"An entry of {event.stream} stands in the chain of {stream}.")
        if before is not None and (
            event.sequence != before.event.sequence + 1 or event.previous != before.entry_sha256
        ):
            raise ChainBroken(f"Entry {event.sequence} of {stream} does not follow its neighbour.")
        before = one


def _all_bytes(session: Session, stream: Stream, from_sequence: int) -> list[bytes]:
    found: list[bytes] = []
    while page := read_bytes(session, stream, from_sequence=from_sequence + len(found)):
        found += page
        if len(page) < PAGE_ENTRIES:
            break
    return found
