"""The ceremony: a sealing key whose secret nobody holds, dealt to the agents.

Two seeds are made, the sealing seed and its sibling for the canary, and both are split with the
same numbers and the same x for each agent. An agent's share file holds one share of either.
When k agents combine their canary shares and the canary opens, the dealing was right and their
keys work; the sealing seed is combined nowhere for that.

:func:`deal` is the dealer's side, in the keyholder, and keeps nothing. The rest is the agent's
side and needs no service.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from escrow.ground.digests import canonical_json
from escrow.ground.errors import EscrowError
from escrow.ground.identifiers import AgreementId
from escrow.ground.signatures import SigningKey
from escrow.vault.age import (
    Identity,
    Recipient,
    decrypt_bytes,
    encrypt_bytes,
    hybrid_identity_from_seed,
    parse_recipient,
)
from escrow.vault.age_keys import SEED_BYTES
from escrow.vault.errors import BadQuorum, BadShareFile, CanaryClosed
from escrow.vault.shares import MAX_SHARES, combine, split

SHARE_FILE_VERSION = 1
CANARY_SECRET_BYTES = 32

_SHARE_BYTES = SEED_BYTES + 1
_LIVENESS_LABEL = b"escrow-share-liveness/1\0"


@dataclass(frozen=True)
class Deal:
    """What a ceremony leaves: public keys, and files that only the agents open.

    ``sealed_share_files`` and ``liveness_keys`` are in the order of the share recipients; a
    liveness key is the public half of a key derived from that agent's share.
    """

    recipient: str
    canary_recipient: str
    sealed_share_files: tuple[bytes, ...]
    liveness_keys: tuple[str, ...]
    canary_file: bytes


@dataclass(frozen=True)
class OpenedShare:
    """An agent's share of one epoch, opened."""

    agreement_id: AgreementId
    epoch: int
    index: int
    k: int
    n: int
    share: bytes = field(repr=False)
    canary_share: bytes = field(repr=False)


@dataclass(frozen=True)
class CanaryShare:
    """The half of an agent's share that opens nothing but the canary."""

    agreement_id: AgreementId
    epoch: int
    index: int
    canary_share: bytes = field(repr=False)


def check_quorum(k: int, n: int) -> None:
    """Return when k of n is a quorum that we deal.

    Raises:
        BadQuorum: k = 1 lets one agent open alone, k = n lets one block for ever.
    """
    if not 1 < k < n <= MAX_SHARES:
        raise BadQuorum(
            f"{k} of {n} agents is no quorum that can be dealt.",
            "Choose 1 < k < n: one agent alone must neither open nor block.",
        )


def deal(
    agreement_id: AgreementId,
    epoch: int,
    k: int,
    share_recipients: Sequence[str],
    canary_secret: bytes,
) -> Deal:
    """Make a sealing key, split it among the agents, and forget it.

    Args:
        agreement_id: whose sealing key.
        epoch: counts the agreement's sealing keys from 1.
        k: how many agents open together.
        share_recipients: one age recipient for each agent, in the agreement's order.
        canary_secret: what the canary opens to; the caller keeps its hash only.

    Raises:
        BadQuorum: see :func:`check_quorum`.
        BadRecipient: an agent's share recipient is none.
    """
    recipients = [parse_recipient(text) for text in share_recipients]
    n = len(recipients)
    check_quorum(k, n)
    seed, canary_seed = secrets.token_bytes(SEED_BYTES), secrets.token_bytes(SEED_BYTES)
    canary_recipient = hybrid_identity_from_seed(canary_seed).recipient
    files = [
        OpenedShare(agreement_id, epoch, index, k, n, share, canary_share)
        for index, (share, canary_share) in enumerate(
            zip(split(seed, k, n), split(canary_seed, k, n), strict=True), start=1
        )
    ]
    return Deal(
        recipient=str(hybrid_identity_from_seed(seed).recipient),
        canary_recipient=str(canary_recipient),
        sealed_share_files=tuple(
            encrypt_bytes(_render(file), [recipient])
            for file, recipient in zip(files, recipients, strict=True)
        ),
        liveness_keys=tuple(str(liveness_key(file.share).public) for file in files),
        canary_file=encrypt_bytes(canary_secret, [canary_recipient]),
    )


def open_share_file(sealed: bytes, identity: Identity) -> OpenedShare:
    """Return an agent's share; run in the agent's own client only.

    Raises:
        NoIdentityMatches: dealt to another agent.
        HeaderMalformed, HeaderForged, PayloadTampered, PayloadTruncated: changed on the way.
        BadShareFile: opens, but is no share file of a version that we know.
    """
    return _parse(decrypt_bytes(sealed, [identity]))


def seal_canary_share(share: OpenedShare, opener: Recipient) -> bytes:
    """Return the canary half of a share, for the agent who opens the canary.

    Raises:
        MixedRecipients: never for one recipient.
    """
    values = {"v": SHARE_FILE_VERSION, "agreement_id": share.agreement_id, "epoch": share.epoch}
    values |= {"index": share.index, "canary_share": _text(share.canary_share)}
    return encrypt_bytes(canonical_json(values), [opener])


def open_canary_share(sealed: bytes, identity: Identity) -> CanaryShare:
    """Return the canary half that another agent sent.

    Raises:
        NoIdentityMatches: sent to another agent.
        HeaderMalformed, HeaderForged, PayloadTampered, PayloadTruncated: changed on the way.
        BadShareFile: opens, but is no canary share of a version that we know.
    """
    values = _read(decrypt_bytes(sealed, [identity]), ("canary_share",))
    try:
        return CanaryShare(**values)
    except TypeError:
        raise _bad_share_file() from None


def combine_canary(canary_shares: Sequence[bytes], canary_file: bytes) -> bytes:
    """Return the canary's secret, which proves that these agents could open.

    Raises:
        BadShares: too few, or the same share twice.
        CanaryClosed: the shares are of another deal, or wrong.
    """
    seed = combine(canary_shares)
    try:
        return decrypt_bytes(canary_file, [hybrid_identity_from_seed(seed)])
    except EscrowError:
        raise CanaryClosed(
            "These canary shares do not open the canary.",
            "Check that all come from the newest share files of this agreement.",
        ) from None


def liveness_key(share: bytes) -> SigningKey:
    """Return the key that proves possession of a share by signing a fresh challenge."""
    return SigningKey.from_seed(hashlib.sha256(_LIVENESS_LABEL + share).digest())


def _render(file: OpenedShare) -> bytes:
    return canonical_json(
        {
            "v": SHARE_FILE_VERSION,
            "agreement_id": file.agreement_id,
            "epoch": file.epoch,
            "index": file.index,
            "k": file.k,
            "n": file.n,
            "share": _text(file.share),
            "canary_share": _text(file.canary_share),
        }
    )


def _parse(data: bytes) -> OpenedShare:
    try:
        file = OpenedShare(**_read(data, ("share", "canary_share")))
        check_quorum(file.k, file.n)
    except (TypeError, BadQuorum):
        raise _bad_share_file() from None
    if not 1 <= file.index <= file.n:
        raise _bad_share_file()
    return file


def _read(data: bytes, shares: Sequence[str]) -> dict[str, Any]:
    """Return the values of a share file's JSON, its version checked and taken off."""
    try:
        values: dict[str, Any] = json.loads(data)
        version = values.pop("v")
        for name in shares:
            values[name] = base64.b64decode(values[name], validate=True)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise _bad_share_file() from None
    if version != SHARE_FILE_VERSION:
        raise BadShareFile(
            "This share file is of a version that this program does not know.",
            "Use a newer program.",
        )
    if any(len(values[name]) != _SHARE_BYTES for name in shares):
        raise _bad_share_file()
    return values


def _text(share: bytes) -> str:
    return base64.b64encode(share).decode()


def _bad_share_file() -> BadShareFile:
    return BadShareFile(
        "This file opens but holds no share.", "Give the share file of the ceremony."
    )
