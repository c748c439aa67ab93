"""Hold a ceremony and keep what it leaves; it counts once the agents opened its canary."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from escrow.ground.database import Session
from escrow.ground.identifiers import AgreementId
from escrow.vault import records
from escrow.vault.ceremony import CANARY_SECRET_BYTES, Deal, deal


@dataclass(frozen=True)
class ShareHolder:
    """An agent as the ceremony sees him: two public keys, no name."""

    signing_key: str
    share_recipient: str


def hold_ceremony(
    session: Session,
    agreement_id: AgreementId,
    agreement_version: int,
    k: int,
    holders: Sequence[ShareHolder],
    now: datetime,
) -> records.SealingEpochRow:
    """Deal a new epoch to the agents; the one before stays until the canary of this is opened.

    Raises:
        BadQuorum, BadRecipient: see :func:`escrow.vault.ceremony.deal`.
    """
    newest = records.newest_epoch(session, agreement_id)
    epoch = newest.epoch + 1 if newest else 1
    secret = secrets.token_bytes(CANARY_SECRET_BYTES)
    dealt = deal(agreement_id, epoch, k, [one.share_recipient for one in holders], secret)
    row = records.SealingEpochRow(
        agreement_id=agreement_id,
        epoch=epoch,
        agreement_version=agreement_version,
        k=k,
        n=len(holders),
        recipient=dealt.recipient,
        canary_recipient=dealt.canary_recipient,
        canary_file=dealt.canary_file,
        canary_sha256=hashlib.sha256(secret).hexdigest(),
        dealt_at=now,
    )
    records.add(session, row)
    records.add(session, *_shares(row, holders, dealt))
    return row


def _shares(
    row: records.SealingEpochRow, holders: Sequence[ShareHolder], dealt: Deal
) -> list[records.ShareDealRow]:
    files = zip(holders, dealt.sealed_share_files, dealt.liveness_keys, strict=True)
    return [
        records.ShareDealRow(
            agreement_id=row.agreement_id,
            epoch=row.epoch,
            index=index,
            share_recipient=holder.share_recipient,
            signing_key=holder.signing_key,
            liveness_key=liveness_key,
            share_file=share_file,
        )
        for index, (holder, share_file, liveness_key) in enumerate(files, start=1)
    ]
