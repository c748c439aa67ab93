"""Confirmations: an agent's signed word on exactly this release, and his sealed share.

Taken in two steps, since the keyholder alone can tell whether a share is right: what was sent is
checked and kept, the keyholder looks at the share, and only then is the confirmation written into
the ledger. A wrong share is refused while the agent is still there; a crash in between leaves
something that the same agent sends again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agreements.requests import State, Step
from escrow.evidence.dsse import Envelope
from escrow.ground.clock import Clock
from escrow.ground.database import Session
from escrow.ground.digests import sha256_hex
from escrow.ground.identifiers import RequestId
from escrow.ledger.appending import Scribe
from escrow.register.acts import PartyAct, verify_party_act
from escrow.releases.acting import append_confirmation, move
from escrow.releases.decision import approval_of, check_confirmation, matter_of
from escrow.releases.errors import (
    ConfirmedAlready,
    PaperMalformed,
    RequestMalformed,
    StepNotPossible,
    WrongDoer,
)
from escrow.releases.history import Confirmation, Given
from escrow.releases.reading import OpenedRequest, open_request
from escrow.releases.subjects import ConfirmationSubject, parse_confirmation
from escrow.vault import records as vault

# A sealed share is a few hundred bytes, with a post-quantum header some 2,000.
MAX_SHARE_BYTES = 16_384


@dataclass(frozen=True)
class SentShare:
    """A share as the agent's client sends it."""

    epoch: int
    index: int
    file: bytes


def keep_confirmation(
    session: Session,
    request_id: RequestId,
    envelope: Envelope,
    shares: Sequence[SentShare],
    clock: Clock,
) -> list[str]:
    """Check a confirmation, keep its shares for the keyholder, and return their digests.

    Raises:
        as :func:`verified_confirmation`; PaperMalformed: a share is not the one signed for.
    """
    opened, taken = verified_confirmation(session, request_id, envelope, clock)
    subject = parse_confirmation(taken.act.subject)
    _check_shares(subject, shares)
    round_ = vault.newest_round(session, request_id)
    if round_ is None:
        raise StepNotPossible(Step.CONFIRM, opened.history.state)
    for one in shares:
        row = vault.ReleaseShareRow(
            request_id=request_id,
            round=round_.round,
            signing_key=taken.signatory.signing_key,
            epoch=one.epoch,
            index=one.index,
            file=one.file,
            file_sha256=sha256_hex(one.file),
            sent_at=clock.now(),
        )
        vault.keep_release_share(session, row)
    return [sha256_hex(one.file) for one in shares]


def take_confirmation(
    session: Session, request_id: RequestId, envelope: Envelope, scribe: Scribe, clock: Clock
) -> None:
    """Write a confirmation into the ledger, its shares having been found right.

    Raises:
        as :func:`verified_confirmation`, asked again: things may have changed meanwhile.
    """
    opened, taken = verified_confirmation(session, request_id, envelope, clock)
    move(session, opened, Step.CONFIRM, taken.taken_at)
    append_confirmation(session, scribe, request_id, taken)


def verified_confirmation(
    session: Session, request_id: RequestId, envelope: Envelope, clock: Clock
) -> tuple[OpenedRequest, PartyAct]:
    """Return the request and the act, when this agent may confirm exactly this now.

    Raises:
        RequestUnknown: none of this id.
        ActMalformed, SignerNotPinned, ActSignatureWrong, ActByOtherKey, ActTimeImplausible,
        ActForOther: as :func:`~escrow.register.acts.verify_party_act`.
        WrongDoer, StepNotPossible, NotApproved, ObjectionStands, AgreementChanged,
        OtherThanOffered, ConfirmationOutdated, ConfirmedAlready: see their sentences.
    """
    opened = open_request(session, request_id)
    now = clock.now()
    taken = verify_party_act(opened.agreement_id, opened.row.version, opened.terms, envelope, now)
    if taken.act.name != "confirm-release":
        raise RequestMalformed("it is no confirmation")
    if taken.signatory.role != "agent":
        raise WrongDoer("an agent")
    approval_of(opened.history, opened.terms, now)
    if opened.history.state is not State.CONFIRMING or not opened.history.openings:
        raise StepNotPossible(Step.CONFIRM, opened.history.state)
    opening = opened.history.openings[-1]
    place = opened.events[-1].event.sequence + 1
    given = Given(taken.act, taken.signatory, taken.taken_at, place)
    confirmation = Confirmation(given, parse_confirmation(taken.act.subject))
    matter = matter_of(opened.history, opened.terms, opening)
    check_confirmation(confirmation, matter, opening, opened.events, now)
    _check_first(opened, taken, opening.place)
    return opened, taken


def _check_first(opened: OpenedRequest, taken: PartyAct, opened_at: int) -> None:
    confirmed = {
        one.given.signatory.signing_key
        for one in opened.history.confirmations
        if one.given.place > opened_at
    }
    if taken.signatory.signing_key in confirmed:
        raise ConfirmedAlready


def _check_shares(subject: ConfirmationSubject, shares: Sequence[SentShare]) -> None:
    signed = {(one.epoch, one.index, one.file_sha256) for one in subject.shares}
    sent = {(one.epoch, one.index, str(sha256_hex(one.file))) for one in shares}
    if not shares or signed != sent or any(len(one.file) > MAX_SHARE_BYTES for one in shares):
        raise PaperMalformed(
            "The shares sent are not those that the confirmation names by their digests.",
            "Run 'escrow confirm' again: it seals, signs and sends them together.",
        )
