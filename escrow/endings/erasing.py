"""Erase what is known of a person who left: values go with their salts, commitments stay.

The ledger holds ids and salted commitments only, so nothing in it has to change: without value and
salt a commitment tells nobody anything. A hold outranks erasure. What is not touched: the text of
an agreement that names the person, which the parties keep as their contract, and his public keys,
under which what he signed stays verifiable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from escrow.endings.errors import HoldStands, StillMember
from escrow.endings.reading import rows_of, sight_of
from escrow.endings.states import Kind, State
from escrow.ground.database import Session
from escrow.ground.identifiers import AgreementId, MemberId
from escrow.ledger.appending import Scribe
from escrow.ledger.events import NewEvent, Stream
from escrow.notices import records as notices
from escrow.parties import records as parties
from escrow.parties.errors import MemberUnknown
from escrow.register import records as register

MEMBER_REDACTED = "parties:member:redacted"
ADDRESS_REDACTED = "notices:notice:redacted"


@dataclass(frozen=True)
class Erased:
    """What was erased: ids alone."""

    member_id: str
    notices: Sequence[str]


def erase_member(
    session: Session, scribe: Scribe, member_id: MemberId, *, actor: str, now: datetime
) -> Erased:
    """Erase name and address of a person who left, and the address in every notice to him.

    A second time changes nothing.

    Raises:
        MemberUnknown: there is none.
        StillMember: he was not removed, or a notice to him still waits.
        HoldStands: a hold stands under an agreement of his, or of his organisation.
    """
    # Also of one who was removed before: it is then that he is erased.
    row = parties.member(session, member_id)
    if row is None:
        raise MemberUnknown
    if row.name == parties.REDACTED:
        return Erased(member_id, ())
    if row.removed_at is None or row.removed_at > now:
        raise StillMember
    _check_no_hold(session, row)
    sent = notices.to_address(session, row.email)
    if any(one.sent_at is None and one.failed_at is None for one in sent):
        raise StillMember
    for one in sent:
        notices.redact(session, one)
        stream = Stream("agreement", one.agreement_id)
        scribe.append(session, NewEvent(stream, ADDRESS_REDACTED, actor, {"notice_id": one.id}))
    parties.redact(session, row)
    stream = Stream("organisation", row.organisation_id)
    scribe.append(session, NewEvent(stream, MEMBER_REDACTED, actor, {"member_id": member_id}))
    return Erased(member_id, [one.id for one in sent])


def _check_no_hold(session: Session, member: parties.Member) -> None:
    """Raise for a hold by the events, not by the rows: a deleted row lifts nothing."""
    own = register.agreements_naming(session, member_id=MemberId(member.id))
    of_organisation = register.agreements_naming(
        session, organisation_id=parties.organisation_id_of(member)
    )
    for agreement_id in {*own, *of_organisation}:
        if register.version_in_force(session, agreement_id) is None:
            continue
        sight = sight_of(
            session, agreement_id, rows_of(session)(Stream("agreement", AgreementId(agreement_id)))
        )
        for hold in sight.of_kind(Kind.HOLD, State.PLACED):
            raise HoldStands(hold.id)
