"""Beneficiaries' recipients: a canary sealed to each, and the proof that it was opened.

The secret is not kept: the row holds a salted commitment, so who reads the database can prove
nothing with it. A recipient that a new version takes over unchanged stays proven, for a year
(``proofs``).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from agreements.terms import Agreement
from escrow.ground.database import Session
from escrow.ground.digests import new_salt, sha256_hex
from escrow.ground.identifiers import AgreementId, new_id
from escrow.ledger.appending import Scribe
from escrow.register import records
from escrow.register.acts import PartyAct
from escrow.register.changes import counting_recipients
from escrow.register.errors import (
    ActTaken,
    CanarySecretWrong,
    CanaryUnknown,
    SignerInOtherRole,
)
from escrow.register.reading import changes_of, terms_of_row
from escrow.register.subjects import (
    check_subject,
    is_secret,
    recipient_proof_subject,
    secret_commitment,
    secret_text,
)
from escrow.vault.age import encrypt_bytes, parse_recipient

# As strong as the keys that it stands for.
CANARY_SECRET_BYTES = 32


@dataclass(frozen=True)
class RecipientCanary:
    """A canary as a beneficiary fetches it: an age file that only his recipient opens."""

    id: str
    organisation: str
    kind: str
    recipient: str
    canary_file: bytes
    is_proven: bool


def seal_canaries(
    session: Session, agreement_id: AgreementId, terms: Agreement, now: datetime
) -> None:
    """Seal a canary to each beneficiary's recipient that has none yet.

    Raises:
        BadRecipient: a recipient is no usable key.
    """
    known = {row.recipient for row in records.canaries_of(session, agreement_id)}
    for party in terms.beneficiaries:
        for one in party.recipients:
            if one.recipient not in known:
                row = seal_canary(agreement_id, party.organisation, one.kind, one.recipient, now)
                records.add(session, row)


def canaries_of(
    session: Session, agreement_id: AgreementId, organisation: str | None = None
) -> list[RecipientCanary]:
    """Return the newest canary of each recipient, of an agreement or of one beneficiary."""
    newest = {row.recipient: row for row in records.canaries_of(session, agreement_id)}
    return [
        RecipientCanary(
            row.id,
            row.organisation,
            row.kind,
            row.recipient,
            row.canary_file,
            row.proven_at is not None,
        )
        for row in newest.values()
        if organisation in (None, row.organisation)
    ]


def record_recipient_proof(session: Session, proof: PartyAct, scribe: Scribe) -> None:
    """Record that a beneficiary's person opened the canary of one of his own recipients.

    Raises:
        SignerInOtherRole: not signed by a person of a beneficiary.
        CanaryUnknown: his organisation has no such recipient in the terms.
        CanarySecretWrong: the secret is not what was sealed.
        ActForOther: the act says something else besides.
        ActTaken: the recipient is proven already.
    """
    row = _canary_for(session, proof)
    secret = secret_text(proof.act.subject)
    if not is_secret(row.salt, row.secret_commitment, secret):
        raise CanarySecretWrong
    check_subject(
        proof.act.subject,
        recipient_proof_subject(proof.agreement_id, row.recipient, bytes.fromhex(secret)),
    )
    if row.proven_at is not None:
        raise ActTaken
    records.write_proof(session, row, proof.act.sha256, proof.envelope_json, proof.taken_at)
    data: dict[str, object] = {
        "canary_id": row.id,
        "recipient_sha256": sha256_hex(row.recipient.encode()),
    }
    scribe.append(session, proof.event("register:recipient:proven", data))


def _canary_for(session: Session, proof: PartyAct) -> records.RecipientCanaryRow:
    if proof.signatory.role != "beneficiary":
        raise SignerInOtherRole("a beneficiary's person")
    party = proof.terms.party(proof.signatory.organisation)
    own = {one.recipient for one in party.recipients} if party else set()
    own |= _changed(session, proof)
    # The newest: an older one was opened, and what it held stands in an act for all to read.
    for row in reversed(records.canaries_of(session, proof.agreement_id)):
        if row.recipient == proof.act.subject.get("recipient") and row.recipient in own:
            return row
    raise CanaryUnknown


def _changed(session: Session, proof: PartyAct) -> set[str]:
    """Return the recipients that the signer's organisation has changed to, under what governs."""
    row = records.version_in_force(session, proof.agreement_id)
    party = terms_of_row(row).party(proof.signatory.organisation) if row else None
    if row is None or party is None:
        return set()
    changes = changes_of(session, proof.agreement_id, terms_of_row(row))
    return set(counting_recipients(party, changes, proof.taken_at).values())


def seal_canary(
    agreement_id: AgreementId, organisation: str, kind: str, recipient: str, now: datetime
) -> records.RecipientCanaryRow:
    """Return a fresh canary for one recipient; its secret is kept nowhere.

    Raises:
        BadRecipient: it is no usable key.
    """
    secret, salt = secrets.token_bytes(CANARY_SECRET_BYTES), new_salt()
    return records.RecipientCanaryRow(
        id=new_id("can"),
        agreement_id=agreement_id,
        organisation=organisation,
        kind=kind,
        recipient=recipient,
        canary_file=encrypt_bytes(secret, [parse_recipient(recipient)]),
        salt=salt,
        secret_commitment=secret_commitment(salt, secret.hex()),
        made_at=now,
    )
