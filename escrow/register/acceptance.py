"""Acts of parties, taken and recorded: each signed by that person's own pinned key.

No token and no page performs an act; who sends the envelope does not matter. After each act the
agreement is looked at anew, and comes into force the moment that nothing is missing.
"""

from __future__ import annotations

from agreements.terms import Agreement
from escrow.evidence.acts import parse_act
from escrow.evidence.dsse import Envelope
from escrow.ground.clock import Clock
from escrow.ground.database import Session
from escrow.ground.digests import Sha256Hex
from escrow.ground.identifiers import AgreementId
from escrow.ledger.appending import Scribe
from escrow.ledger.events import NewEvent, Stream
from escrow.register import records
from escrow.register.acts import PartyAct, verify_party_act
from escrow.register.ceremony import count_keys, key_setup_of, record_canary_opening
from escrow.register.changing import CHANGE_ACTS, take_change
from escrow.register.errors import ActForOther, ActTaken, VersionSuperseded
from escrow.register.governing import ACCEPT_ACT, ACCEPTED, IN_FORCE
from escrow.register.reading import AgreementView, read_version, terms_of_row, view_of
from escrow.register.recipients import record_recipient_proof
from escrow.register.status import is_dealt_for
from escrow.register.subjects import acceptance_subject, check_subject
from escrow.register.vouches.vouching import record_vouch


def take_act(
    session: Session,
    agreement_id: AgreementId,
    envelope: Envelope,
    scribe: Scribe,
    *,
    clock: Clock,
    trust_root_sha256: Sha256Hex | None = None,
) -> AgreementView:
    """Take any act on an agreement: acceptance, proof or change of a recipient, canary, vouch.

    The newest version decides who may act, and of an amendment the parties of the version that
    it replaces as well: their persons accept it, though it name others. Each kind of act compares
    its own subject and takes an act only once. Then the agreement comes into force if nothing is
    missing any more.

    Args:
        trust_root_sha256: of the public keys that the service runs under; no act vouches for
            others, and none at all where this is not known.

    Raises:
        AgreementUnknown: no such agreement.
        ActMalformed, SignerNotPinned, ActSignatureWrong, ActByOtherKey, ActTimeImplausible,
        ActForOther: see :func:`~escrow.register.acts.verify_party_act`.
        VersionSuperseded: the acceptance is of an older version.
        SignerInOtherRole, CanaryUnknown, CanarySecretWrong, CeremonyNotHeld, ContributorsWrong:
        the act is not this person's, or proves nothing.
        ActTaken: done before.
    """
    name = parse_act(envelope.payload).name
    if name in CHANGE_ACTS:
        # Under the text in force, whatever waits for signatures; it brings nothing into force.
        take_change(session, agreement_id, envelope, scribe, clock=clock)
        return view_of(session, agreement_id)
    terms, version = read_version(session, agreement_id)
    governing = _governing(session, agreement_id, version) if name == ACCEPT_ACT else None
    taken = verify_party_act(
        agreement_id, version, terms, envelope, clock.now(), governing=governing
    )
    match taken.act.name:
        case "accept-agreement":
            _record_acceptance(session, taken, scribe)
        case "prove-recipient":
            record_recipient_proof(session, taken, scribe)
        case "open-canary":
            record_canary_opening(session, taken, scribe)
        case "vouch-trust-root" if trust_root_sha256 is not None:
            record_vouch(session, taken, scribe, trust_root_sha256)
        case _:
            raise ActForOther(
                f"{taken.act.name!r} is no act on an agreement itself.",
                "Send it to the release request that it names.",
            )
    return settle(session, agreement_id, scribe, clock=clock)


def accept(
    session: Session,
    agreement_id: AgreementId,
    envelope: Envelope,
    scribe: Scribe,
    *,
    clock: Clock,
) -> AgreementView:
    """Take an acceptance, and no other act.

    Raises:
        ActForOther: the envelope holds another act; else as :func:`take_act`.
    """
    if parse_act(envelope.payload).name != ACCEPT_ACT:
        raise ActForOther("The envelope holds no acceptance.", "Sign an acceptance and send that.")
    return take_act(session, agreement_id, envelope, scribe, clock=clock)


def settle(
    session: Session, agreement_id: AgreementId, scribe: Scribe, *, clock: Clock
) -> AgreementView:
    """Bring the newest version into force when nothing is missing, and let its keys count.

    A second call changes nothing. Keys that were dealt for a version still waiting do not count
    yet: until it is in force, deposits are sealed to the agents of the version that is.

    Raises:
        AgreementUnknown: no such agreement.
    """
    row = records.newest_version(session, agreement_id)
    if row is not None and row.in_force_at is None and not _is_missing(session, agreement_id):
        records.write_in_force(session, row, clock.now())
        event = NewEvent(
            Stream("agreement", agreement_id),
            IN_FORCE,
            f"role:{scribe.role}",
            {"version": row.version, "text_sha256": row.text_sha256},
        )
        scribe.append(session, event)
    _count_keys_of_force(session, agreement_id, clock)
    return view_of(session, agreement_id)


def _governing(session: Session, agreement_id: AgreementId, version: int) -> Agreement | None:
    row = records.version_in_force(session, agreement_id)
    return terms_of_row(row) if row is not None and row.version < version else None


def _is_missing(session: Session, agreement_id: AgreementId) -> bool:
    return bool(view_of(session, agreement_id).missing)


def _count_keys_of_force(session: Session, agreement_id: AgreementId, clock: Clock) -> None:
    in_force = records.version_in_force(session, agreement_id)
    setup = key_setup_of(session, agreement_id)
    if in_force is None or setup is None or not setup.opened_by:
        return
    terms, _ = read_version(session, agreement_id, in_force.version)
    if is_dealt_for(setup, terms):
        count_keys(session, agreement_id, setup.epoch, clock.now())


def _record_acceptance(session: Session, taken: PartyAct, scribe: Scribe) -> None:
    signed_version = taken.act.subject.get("version")
    if type(signed_version) is int and 0 < signed_version < taken.version:
        raise VersionSuperseded(signed_version)
    expected = acceptance_subject(taken.agreement_id, taken.version, taken.terms.text_sha256)
    check_subject(taken.act.subject, expected)
    signed = records.acceptances_of(session, taken.agreement_id, taken.version)
    if taken.signatory.signing_key in {row.signing_key for row in signed}:
        raise ActTaken
    row = records.AcceptanceRow(
        agreement_id=taken.agreement_id,
        version=taken.version,
        signing_key=taken.signatory.signing_key,
        role=taken.signatory.role,
        organisation=taken.signatory.organisation,
        act_sha256=taken.act.sha256,
        envelope_json=taken.envelope_json,
        accepted_at=taken.taken_at,
    )
    records.add(session, row)
    data: dict[str, object] = {
        "version": taken.version,
        "text_sha256": taken.terms.text_sha256,
        "role": taken.signatory.role,
        # Verbatim: whoever has the log alone can check who signed what.
        "act": taken.envelope.to_json(),
    }
    scribe.append(session, taken.event(ACCEPTED, data))
