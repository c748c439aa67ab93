"""A session of the agents: what it is for, what each signs, and how an answer is checked; pure.

Guarantees: the purpose stands in everything that is signed or sealed, so that an answer to one
session is worth nothing in another, nor in a release. The whole session is one Merkle root over
its agreements, which the keyholder logged; an agent signs that root once, however many agreements
there are. It does not know who may answer: the keyholder compares with what was dealt.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

from escrow.custody.errors import AnswerForOther, AnswerMalformed
from escrow.ground.digests import canonical_json, sha256_hex
from escrow.ground.signatures import BadSignature, PublicKey
from escrow.ledger.merkle import leaf_hash, root_of
from escrow.vault.ceremony import liveness_key

# A challenge and an answer of so many agreements stay below the two megabytes of an API call.
MAX_AGREEMENTS = 5_000

# Agents are people with holidays; a challenge that nobody answered for longer is no fresh one.
ANSWERING_TIME = timedelta(days=21)

# Of a session's challenge: as long as the digest that the liveness keys are made with.
CHALLENGE_BYTES = 32

ANSWER_VERSION = 1

_LIVENESS_LABEL = b"escrow-custody-challenge/1\0"


class Purpose(StrEnum):
    """What the agents are asked for; stored, signed and printed, never renamed."""

    DRILL = "drill"
    SESSION = "session"
    RESHARE = "reshare"


# Printed by the agent's client before anything is signed. No two begin alike, and none like a
# release, so that nobody does one for another by habit.
PRINTED: Mapping[Purpose, str] = MappingProxyType(
    {
        Purpose.DRILL: (
            "LIVENESS DRILL. You prove that you still hold your shares by signing with a key "
            "derived from them. No share leaves this machine; nothing is opened or released."
        ),
        Purpose.SESSION: (
            "QUARTERLY SESSION. Your shares leave this machine, sealed to the keyholder. With k "
            "of them it opens the last verified deposit for one re-verification in the sandbox, "
            "and replaces the key. Nothing is released to anybody."
        ),
        Purpose.RESHARE: (
            "RE-SHARING. Your shares leave this machine, sealed to the keyholder. With k of them "
            "it deals a new key to the agents of the accepted text. No deposit is opened for "
            "anybody, and nothing is released."
        ),
    }
)

# Of these the agents' shares are needed; a drill takes signatures only.
WITH_SHARES = frozenset({Purpose.SESSION, Purpose.RESHARE})


@dataclass(frozen=True)
class Item:
    """One agreement of a session, as the keyholder found it in the ledger.

    Args:
        epoch: of the sealing key whose shares are meant.
        version, text_sha256: of the text to whose agents a new key would be dealt.
    """

    agreement_id: str
    epoch: int
    k: int
    n: int
    version: int
    text_sha256: str

    def to_json(self) -> dict[str, object]:
        """Return the item as it is hashed and sent."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> Item:
        """Return the item of a document.

        Raises:
            AnswerMalformed: it is none.
        """
        try:
            return cls(**value)  # type: ignore[arg-type]
        except TypeError:
            raise AnswerMalformed("an agreement of the session is none") from None


def items_root(items: Sequence[Item]) -> str:
    """Return the Merkle root (RFC 6962, section 2.1) of a session's agreements, in their order."""
    return root_of(leaf_hash(canonical_json(item.to_json())) for item in items).hex()


@dataclass(frozen=True)
class Challenge:
    """What the keyholder asks, as it logged it.

    Args:
        nonce: 64 hex digits, fresh for each session.
    """

    session_id: str
    purpose: Purpose
    nonce: str

    def text(self, place: int, item: Item, index: int) -> bytes:
        """Return what the key derived from one share signs.

        Args:
            place: of the agreement in the session, from 0.
            index: the share's number.
        """
        return _LIVENESS_LABEL + canonical_json(
            {
                "purpose": self.purpose,
                "session_id": self.session_id,
                "nonce": self.nonce,
                "place": place,
                "agreement_id": item.agreement_id,
                "epoch": item.epoch,
                "index": index,
            }
        )

    def sign(self, place: int, item: Item, index: int, share: bytes) -> Proof:
        """Return the proof that a share is held; run in the agent's client only."""
        signature = liveness_key(share).sign(self.text(place, item, index))
        return Proof(place, index, signature)


@dataclass(frozen=True)
class Proof:
    """That the holder of one share was there, for one agreement of a session."""

    place: int
    index: int
    signature: bytes


@dataclass(frozen=True)
class Answer:
    """What one agent's client sends for a whole session.

    Args:
        proofs: for every agreement of which he holds a share; others are left out.
        shares: an age file to the session's one-time key; None in a drill.
    """

    proofs: tuple[Proof, ...]
    shares: bytes | None = None

    def to_bytes(self) -> bytes:
        """Return the document that the act names by its digest."""
        proofs = [[one.place, one.index, _text(one.signature)] for one in self.proofs]
        shares = None if self.shares is None else _text(self.shares)
        return canonical_json({"v": ANSWER_VERSION, "proofs": proofs, "shares": shares})

    @classmethod
    def from_bytes(cls, unverified: bytes) -> Answer:
        """Return the answer of a document; its signatures are not checked.

        Raises:
            AnswerMalformed: it is none, or answers for one agreement twice.
        """
        try:
            value = json.loads(unverified)
            if value["v"] != ANSWER_VERSION or not 0 < len(value["proofs"]) <= MAX_AGREEMENTS:
                raise ValueError("version or length")
            proofs = tuple(
                Proof(_count(place), _count(index), base64.b64decode(signature, validate=True))
                for place, index, signature in value["proofs"]
            )
            shares = value["shares"]
            if len({one.place for one in proofs}) != len(proofs):
                raise ValueError("twice")
            return cls(proofs, None if shares is None else base64.b64decode(shares, validate=True))
        except (ValueError, TypeError, KeyError, binascii.Error, RecursionError):
            raise AnswerMalformed("it has another form") from None


def answer_subject(
    challenge: Challenge, root: str, opened_entry_sha256: str, document: bytes
) -> dict[str, object]:
    """Return what an agent's act on a session says: one signature over everything."""
    return {
        "session_id": challenge.session_id,
        "purpose": str(challenge.purpose),
        "items_root": root,
        "opened_entry_sha256": opened_entry_sha256,
        "answer_sha256": sha256_hex(document),
    }


def check_answer_subject(subject: Mapping[str, object], expected: Mapping[str, object]) -> None:
    """Return when an act is about exactly this answer to this session.

    Raises:
        AnswerForOther: another session, purpose, opening or answer.
    """
    if dict(subject) != dict(expected):
        raise AnswerForOther


def holds_share(challenge: Challenge, item: Item, proof: Proof, key: str) -> bool:
    """Return whether a proof is signed with the key derived from the share that was dealt.

    Args:
        key: as the ceremony's proven event lists it for this share.
    """
    try:
        text = challenge.text(proof.place, item, proof.index)
        PublicKey.parse(key).check_signature(proof.signature, text)
    except BadSignature:
        return False
    return True


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("no number")
    return value


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
