"""Lanes: a fresh key for each deposit, from its opening to its verdict.

The portal seals file keys to the lane's public half, and so cannot open what it received. It
takes a lane only when the keyholder's pinned key signed it for exactly this deposit.
"""

from __future__ import annotations

from dataclasses import dataclass

from escrow.ground.digests import canonical_json
from escrow.ground.errors import Tampered
from escrow.ground.identifiers import DepositId
from escrow.ground.signatures import PublicKey, Signer
from escrow.vault.age import X25519Identity, new_x25519_identity, parse_recipient
from escrow.vault.age_keys import X25519Recipient
from escrow.vault.errors import BadLaneAnnouncement

_LABEL = b"escrow-lane/1\0"


@dataclass(frozen=True)
class LaneAnnouncement:
    """A lane's public half with the keyholder's signature over it (:func:`verify_lane`)."""

    deposit_id: DepositId
    recipient: str
    signature: bytes


@dataclass(frozen=True)
class Lane:
    """A lane with its secret half; exists in the keyholder only."""

    deposit_id: DepositId
    identity: X25519Identity

    def announce(self, signer: Signer) -> LaneAnnouncement:
        """Return the signed announcement of the public half."""
        recipient = str(self.identity.recipient)
        signature = signer.sign(lane_statement(self.deposit_id, recipient))
        return LaneAnnouncement(self.deposit_id, recipient, signature)


def new_lane(deposit_id: DepositId) -> Lane:
    """Return a fresh lane. Classical keys: a lane lives for days, and its headers are destroyed."""
    return Lane(deposit_id, new_x25519_identity())


def lane_statement(deposit_id: DepositId, recipient: str) -> bytes:
    """Return the bytes that the keyholder signs."""
    return _LABEL + canonical_json({"deposit_id": deposit_id, "recipient": recipient})


def verify_lane(
    deposit_id: DepositId, recipient: str, signature: bytes, keyholder: PublicKey
) -> LaneAnnouncement:
    """Return the announcement of this deposit's lane, once it is known to be the keyholder's.

    Args:
        deposit_id: the deposit that is being opened.
        recipient, signature: as they came from the keyholder's socket, not trusted yet.
        keyholder: the key pinned in the caller's settings.

    Raises:
        BadLaneAnnouncement: for another deposit, another kind of key, or not signed so.
    """
    try:
        keyholder.check_signature(signature, lane_statement(deposit_id, recipient))
    except Tampered:
        raise _bad() from None
    if not isinstance(parse_recipient(recipient), X25519Recipient):
        raise _bad()
    return LaneAnnouncement(deposit_id, recipient, signature)


def _bad() -> BadLaneAnnouncement:
    return BadLaneAnnouncement(
        "The lane key for this deposit is not signed by the keyholder.",
        "Nothing was taken; the operator has to compare the keyholder's pinned key.",
    )
