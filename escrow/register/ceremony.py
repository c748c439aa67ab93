"""The ceremony's books: an agent's signed statement that the canary opened in his own client.

The canary opens only to k shares, so its secret proves that k agents' share files and keys work,
and that it happened outside the keyholder, which has forgotten the secret. What the vault stores
is the secret's digest.
"""

from __future__ import annotations

import hmac
from datetime import datetime

from escrow.evidence.acts import Act
from escrow.ground.database import Session
from escrow.ground.digests import sha256_hex
from escrow.ground.identifiers import AgreementId
from escrow.ledger.appending import Scribe
from escrow.register import records
from escrow.register.acts import PartyAct
from escrow.register.errors import (
    ActTaken,
    CanarySecretWrong,
    CeremonyNotHeld,
    ContributorsWrong,
    SignerInOtherRole,
)
from escrow.register.status import KeySetup
from escrow.register.subjects import canary_opening_subject, check_subject, secret_text
from escrow.vault import records as vault_records


def key_setup_of(session: Session, agreement_id: AgreementId) -> KeySetup | None:
    """Return the newest sealing key of an agreement and who opened its canary; None before."""
    epoch = vault_records.newest_epoch(session, agreement_id)
    if epoch is None:
        return None
    shares = vault_records.shares_of(session, agreement_id, epoch.epoch)
    openings = records.openings_of(session, agreement_id, epoch.epoch)
    return KeySetup(
        epoch=epoch.epoch,
        k=epoch.k,
        share_recipients=tuple(share.share_recipient for share in shares),
        opened_by=frozenset(opening.signing_key for opening in openings),
    )


def record_canary_opening(session: Session, opening: PartyAct, scribe: Scribe) -> None:
    """Record that an agent opened the newest epoch's canary with k agents' contributions.

    Raises:
        SignerInOtherRole: not signed by an agent.
        CeremonyNotHeld: nothing was dealt, or the act is about an older epoch.
        ContributorsWrong: fewer than k different shares, or shares that were not dealt.
        CanarySecretWrong: the secret is not the canary's.
        ActForOther: the act says something else besides.
        ActTaken: this agent has stated it already.
    """
    if opening.signatory.role != "agent":
        raise SignerInOtherRole("an agent")
    subject = opening.act.subject
    epoch = vault_records.newest_epoch(session, opening.agreement_id)
    if epoch is None or subject.get("epoch") != epoch.epoch:
        raise CeremonyNotHeld
    contributors = _contributors(opening.act, epoch.k, epoch.n)
    secret = bytes.fromhex(secret_text(subject))
    if not hmac.compare_digest(sha256_hex(secret), epoch.canary_sha256):
        raise CanarySecretWrong
    check_subject(
        subject, canary_opening_subject(opening.agreement_id, epoch.epoch, contributors, secret)
    )
    openings = records.openings_of(session, opening.agreement_id, epoch.epoch)
    if opening.signatory.signing_key in {row.signing_key for row in openings}:
        raise ActTaken
    row = records.CanaryOpeningRow(
        agreement_id=opening.agreement_id,
        epoch=epoch.epoch,
        signing_key=opening.signatory.signing_key,
        act_sha256=opening.act.sha256,
        envelope_json=opening.envelope_json,
        opened_at=opening.taken_at,
    )
    records.add(session, row)
    data: dict[str, object] = {"epoch": epoch.epoch, "contributors": contributors}
    scribe.append(session, opening.event("register:ceremony:canary-opened", data))


def count_keys(session: Session, agreement_id: AgreementId, epoch: int, now: datetime) -> None:
    """Let the newest epoch count for sealing from now on, once."""
    row = vault_records.newest_epoch(session, agreement_id)
    if row is not None and row.epoch == epoch and row.canary_opened_at is None:
        vault_records.mark_canary_opened(session, row, now)


def _contributors(act: Act, k: int, n: int) -> list[int]:
    listed = act.subject.get("contributors")
    numbers = listed if isinstance(listed, list) else []
    if not all(type(one) is int and 1 <= one <= n for one in numbers) or len(set(numbers)) < k:
        raise ContributorsWrong(k, n)
    return sorted(set(numbers))
