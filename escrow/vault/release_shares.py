"""A share on its way from an agent's client to the keyholder, for one round of one request.

The agent seals it to the round's one-time key; the keyholder opens it, compares it with the public
liveness key that the ceremony logged, and combines. A canary share or a share of another round,
request or epoch is told apart by what it says, before any arithmetic.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from escrow.ground.digests import canonical_json
from escrow.ground.identifiers import AgreementId, RequestId
from escrow.vault.age import (
    HybridIdentity,
    Identity,
    Recipient,
    decrypt_bytes,
    encrypt_bytes,
    hybrid_identity_from_seed,
)
from escrow.vault.ceremony import OpenedShare, liveness_key
from escrow.vault.errors import BadShareFile, ShareOfAnother
from escrow.vault.shares import combine

RELEASE_SHARE_VERSION = 1
PURPOSE = "release"


@dataclass(frozen=True)
class ReleaseShare:
    """An agent's share of a sealing key, given for one release."""

    agreement_id: AgreementId
    request_id: RequestId
    epoch: int
    index: int
    share: bytes = field(repr=False)


def seal_release_share(share: OpenedShare, request_id: RequestId, one_time: Recipient) -> bytes:
    """Return the share sealed to the keyholder's one-time key; run in the agent's client only."""
    values: Mapping[str, object] = {
        "v": RELEASE_SHARE_VERSION,
        "purpose": PURPOSE,
        "agreement_id": share.agreement_id,
        "request_id": request_id,
        "epoch": share.epoch,
        "index": share.index,
        "share": base64.b64encode(share.share).decode(),
    }
    return encrypt_bytes(canonical_json(values), [one_time])


def open_release_share(sealed: bytes, one_time: Identity) -> ReleaseShare:
    """Return the share that an agent gave.

    Raises:
        NoIdentityMatches: sealed to the key of another round.
        HeaderMalformed, HeaderForged, PayloadTampered, PayloadTruncated: changed on the way.
        BadShareFile: opens, but holds no share for a release.
    """
    try:
        values = json.loads(decrypt_bytes(sealed, [one_time]))
        if (values.pop("v"), values.pop("purpose")) != (RELEASE_SHARE_VERSION, PURPOSE):
            raise ValueError("version or purpose")
        values["share"] = base64.b64decode(values["share"], validate=True)
        return ReleaseShare(**values)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise BadShareFile(
            "This file opens but holds no share for a release.", "Run 'escrow confirm' again."
        ) from None


def check_release_share(
    share: ReleaseShare,
    agreement_id: AgreementId,
    request_id: RequestId,
    epoch: int,
    liveness_keys: Sequence[str],
) -> None:
    """Return when a share is the one that was dealt under this number, given for this request.

    Args:
        liveness_keys: as the ceremony's proven event lists them, in the order of the numbers.

    Raises:
        ShareOfAnother: of another agreement, request, epoch or number, or no share at all.
    """
    place = (share.agreement_id, share.request_id, share.epoch)
    known = 1 <= share.index <= len(liveness_keys)
    if (
        place != (agreement_id, request_id, epoch)
        or not known
        or str(liveness_key(share.share).public) != liveness_keys[share.index - 1]
    ):
        raise not_his_share()


def not_his_share() -> ShareOfAnother:
    """Return the error for a share that is none of the agent's who gives it."""
    return ShareOfAnother(
        "The share is not the one that was dealt to this agent for this agreement.",
        "Use the identity and the share file of the newest ceremony, and confirm again.",
    )


def combine_release_shares(shares: Sequence[ReleaseShare], recipient: str) -> HybridIdentity:
    """Return the sealing key of an epoch.

    Raises:
        BadShares: fewer than two, or one number twice.
        ShareOfAnother: they combine to another key than the epoch's.
    """
    identity = hybrid_identity_from_seed(combine([one.share for one in shares]))
    if str(identity.recipient) != recipient:
        raise ShareOfAnother(
            "The shares combine to another key than the one that was dealt.",
            "Nothing was opened; the agents have to confirm anew with the right shares.",
        )
    return identity
