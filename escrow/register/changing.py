"""A beneficiary's person changes a recipient: proposed, proven with the new key, or withdrawn.

Each step is that person's own signed act under the text in force, kept verbatim in the ledger.
Everybody whom the agreement names is told of each. Until the cooling-off is over the old recipient
counts. What counts is folded from the events (``changes``); the only row is the canary's.
"""

from __future__ import annotations

from datetime import timedelta

from escrow.evidence.dsse import Envelope
from escrow.ground.clock import Clock
from escrow.ground.database import Session
from escrow.ground.digests import sha256_hex
from escrow.ground.identifiers import AgreementId
from escrow.ledger.appending import Scribe
from escrow.notices import outbox
from escrow.notices.notices import Kind, LastDay
from escrow.notices.readers import everybody, letters_to
from escrow.register import records
from escrow.register.acts import PartyAct, verify_party_act
from escrow.register.changes import (
    PROPOSED,
    PROVEN,
    WITHDRAWN,
    RecipientChange,
    change_proof_subject,
    change_subject,
    change_withdrawal_subject,
    counting_recipients,
    may_propose,
)
from escrow.register.errors import (
    ActTaken,
    CanarySecretWrong,
    CanaryUnknown,
    RecipientChangeUnknown,
    RecipientChangeWaits,
    RecipientInUse,
    RecipientUnusable,
    SignerInOtherRole,
)
from escrow.register.inforce import version_in_force
from escrow.register.reading import changes_of
from escrow.register.recipients import seal_canary
from escrow.register.subjects import check_subject, is_secret, secret_text
from escrow.vault.errors import BadRecipient

CHANGE_ACTS = frozenset(
    {"change-recipient", "prove-changed-recipient", "withdraw-recipient-change"}
)


def take_change(
    session: Session, agreement_id: AgreementId, envelope: Envelope, scribe: Scribe, *, clock: Clock
) -> None:
    """Take one of the three acts; the text in force decides who may do it.

    Raises:
        AgreementUnknown, AgreementEnded: nothing is in force.
        ActMalformed, SignerNotPinned, ActSignatureWrong, ActByOtherKey, ActTimeImplausible,
        ActForOther: see :func:`~escrow.register.acts.verify_party_act`.
        SignerInOtherRole: not by a person of a beneficiary; a proposal, not by one who signs alone.
        RecipientUnusable, RecipientInUse, RecipientChangeWaits, RecipientChangeUnknown,
        CanaryUnknown, CanarySecretWrong, ActTaken: see their sentences.
    """
    terms, version = version_in_force(session, agreement_id)
    taken = verify_party_act(agreement_id, version, terms, envelope, clock.now())
    if taken.signatory.role != "beneficiary":
        raise SignerInOtherRole("a beneficiary's person")
    changes = changes_of(session, agreement_id, terms)
    match taken.act.name:
        case "change-recipient":
            _propose(session, taken, changes, scribe)
        case "prove-changed-recipient":
            _prove(session, taken, changes, scribe)
        case _:
            _withdraw(session, taken, changes, scribe)


def _propose(
    session: Session, taken: PartyAct, changes: tuple[RecipientChange, ...], scribe: Scribe
) -> None:
    if not may_propose(taken.signatory):
        raise SignerInOtherRole("a beneficiary's person who signs alone")
    kind, recipient = (str(taken.act.subject.get(name)) for name in ("kind", "recipient"))
    expected = change_subject(taken.agreement_id, taken.terms.text_sha256, kind, recipient)
    check_subject(taken.act.subject, expected)
    organisation = taken.signatory.organisation
    party = taken.terms.party(organisation)
    if party is None or kind not in {one.kind for one in party.recipients}:
        raise CanaryUnknown
    if taken.act.sha256 in {one.id for one in changes}:
        raise ActTaken
    waiting = [one for one in changes if one.waits(taken.taken_at)]
    if (organisation, kind) in {(one.organisation, one.kind) for one in waiting}:
        raise RecipientChangeWaits
    if recipient in _in_use(taken, changes):
        raise RecipientInUse
    try:
        canary = seal_canary(taken.agreement_id, organisation, kind, recipient, taken.taken_at)
    except (ValueError, BadRecipient):
        raise RecipientUnusable(recipient[:80]) from None
    records.add(session, canary)
    data: dict[str, object] = {
        "organisation": organisation,
        "kind": kind,
        "recipient_sha256": sha256_hex(recipient.encode()),
    }
    _append(session, scribe, PROPOSED, taken, data)
    _tell(session, scribe, taken, Kind.RECIPIENT_CHANGE_PROPOSED)


def _prove(
    session: Session, taken: PartyAct, changes: tuple[RecipientChange, ...], scribe: Scribe
) -> None:
    change = _named(taken, changes)
    if change.proven_at is not None:
        raise ActTaken
    rows = records.canaries_of(session, taken.agreement_id)
    row = next((one for one in reversed(rows) if one.recipient == change.recipient), None)
    if row is None:
        raise CanaryUnknown
    secret = secret_text(taken.act.subject)
    if not is_secret(row.salt, row.secret_commitment, secret):
        raise CanarySecretWrong
    expected = change_proof_subject(
        taken.agreement_id, change.id, change.recipient, bytes.fromhex(secret)
    )
    check_subject(taken.act.subject, expected)
    records.write_proof(session, row, taken.act.sha256, taken.envelope_json, taken.taken_at)
    data: dict[str, object] = {
        "change_sha256": change.id,
        "canary_id": row.id,
        "recipient_sha256": sha256_hex(row.recipient.encode()),
    }
    _append(session, scribe, PROVEN, taken, data)
    proven = next(
        one for one in changes_of(session, taken.agreement_id, taken.terms) if one.id == change.id
    )
    _tell(session, scribe, taken, Kind.RECIPIENT_CHANGE_PROVEN, proven)


def _withdraw(
    session: Session, taken: PartyAct, changes: tuple[RecipientChange, ...], scribe: Scribe
) -> None:
    change = _named(taken, changes)
    check_subject(taken.act.subject, change_withdrawal_subject(taken.agreement_id, change.id))
    _append(session, scribe, WITHDRAWN, taken, {"change_sha256": change.id})
    _tell(session, scribe, taken, Kind.RECIPIENT_CHANGE_WITHDRAWN)


def _named(taken: PartyAct, changes: tuple[RecipientChange, ...]) -> RecipientChange:
    """Return the waiting change of the signer's own organisation that an act names."""
    for one in changes:
        is_own = one.organisation == taken.signatory.organisation
        if is_own and one.id == taken.act.subject.get("change") and one.waits(taken.taken_at):
            return one
    raise RecipientChangeUnknown


def _in_use(taken: PartyAct, changes: tuple[RecipientChange, ...]) -> set[str]:
    """Return every key that already stands for somebody or something in the agreement."""
    used = {agent.share_recipient for agent in taken.terms.agents}
    for party in taken.terms.beneficiaries:
        used |= set(counting_recipients(party, changes, taken.taken_at).values())
        if party.organisation != taken.signatory.organisation:
            used |= {one.recipient for one in party.recipients}
    return used | {one.recipient for one in changes if one.waits(taken.taken_at)}


def _append(
    session: Session, scribe: Scribe, event_type: str, taken: PartyAct, data: dict[str, object]
) -> None:
    # Verbatim: the keyholder believes the signature, and nothing that we say of it.
    facts = {
        **data,
        "version": taken.version,
        "text_sha256": taken.terms.text_sha256,
        "act": taken.envelope.to_json(),
    }
    scribe.append(session, taken.event(event_type, facts))


def _tell(
    session: Session,
    scribe: Scribe,
    taken: PartyAct,
    kind: Kind,
    proven: RecipientChange | None = None,
) -> None:
    until = proven.counts_from if proven else None
    letters = letters_to(
        everybody(taken.terms),
        taken.terms,
        taken.agreement_id,
        about=f"{taken.agreement_id}:{kind}:{taken.act.sha256[:16]}",
        kind=kind,
        # The end everywhere on earth falls on the next day by our own clock.
        last_day=LastDay((until - timedelta(days=1)).date()) if until else None,
        path=f"/api/v1/agreements/{taken.agreement_id}/recipients",
    )
    for notice in letters:
        outbox.post(session, scribe, notice, actor=scribe.role, now=taken.taken_at)
