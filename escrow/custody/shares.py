"""Shares on their way to the keyholder, for one session: one file with all of one agent's.

The file says what it is for. A file of a drill cannot exist (a drill takes signatures only), and
one that was sealed for a release is none of these, nor the other way round: both are told apart
by what they say before any arithmetic, and each is sealed to a one-time key of its own.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence

from escrow.custody.errors import ShareForOtherPurpose
from escrow.custody.sessions import Challenge
from escrow.ground.digests import canonical_json
from escrow.vault.age import (
    HybridIdentity,
    Identity,
    Recipient,
    decrypt_bytes,
    encrypt_bytes,
    hybrid_identity_from_seed,
)
from escrow.vault.errors import ShareOfAnother
from escrow.vault.shares import combine

SHARES_VERSION = 1


def seal_shares(
    challenge: Challenge, shares: Mapping[int, tuple[int, bytes]], one_time: Recipient
) -> bytes:
    """Return an agent's shares, sealed for this session; run in the agent's client only.

    Args:
        shares: place of the agreement → number and bytes of the share.
    """
    listed = [
        [place, index, base64.b64encode(share).decode()]
        for place, (index, share) in sorted(shares.items())
    ]
    values = {
        "v": SHARES_VERSION,
        "purpose": str(challenge.purpose),
        "session_id": challenge.session_id,
        "shares": listed,
    }
    return encrypt_bytes(canonical_json(values), [one_time])


def open_shares(
    sealed: bytes, challenge: Challenge, one_time: Identity
) -> dict[int, tuple[int, bytes]]:
    """Return what an agent gave, by place of the agreement; whose they are is checked after.

    Raises:
        NoIdentityMatches: sealed to another session's key.
        HeaderMalformed, HeaderForged, PayloadTampered, PayloadTruncated: changed on the way.
        ShareForOtherPurpose: opens, but was made for a release or for another session.
    """
    try:
        values = json.loads(decrypt_bytes(sealed, [one_time]))
        said = (values["v"], values["purpose"], values["session_id"])
        if said != (SHARES_VERSION, challenge.purpose, challenge.session_id):
            raise ValueError("purpose")
        return {
            int(place): (int(index), base64.b64decode(share, validate=True))
            for place, index, share in values["shares"]
        }
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        # An agent can seal anything: JSON has numbers without end, and nests without end.
        raise ShareForOtherPurpose from None


def combine_shares(shares: Sequence[bytes], recipient: str) -> HybridIdentity:
    """Return the sealing key that the shares give.

    Raises:
        BadShares: fewer than two, or one twice.
        ShareOfAnother: they give another key than the epoch's.
    """
    identity = hybrid_identity_from_seed(combine(shares))
    if str(identity.recipient) != recipient:
        raise ShareOfAnother(
            "The shares combine to another key than the one that was dealt.",
            "Nothing was opened; have the agents answer anew with the right shares.",
        )
    return identity
