"""Do the values that events commit to still open their commitments? Redacted is a valid answer.

Guarantees: every posted notice either has an address and a salt that give exactly the commitment of
its event, or was redacted by an event that says so. A value that somebody changed, or that is gone
without such an event, is told by its notice's id.
"""

from __future__ import annotations

from dataclasses import dataclass

from escrow.endings.erasing import ADDRESS_REDACTED
from escrow.endings.errors import ValueRewritten
from escrow.ground.database import Session
from escrow.ground.digests import commitment
from escrow.ground.identifiers import AgreementId
from escrow.notices import records as notices
from escrow.register import records as register
from escrow.releases.reading import events_of

POSTED = "notices:notice:posted"


@dataclass(frozen=True)
class Committed:
    """How many values open their commitments, and how many were redacted."""

    open: int
    redacted: int


def check_committed_values(session: Session) -> Committed:
    """Compare every committed value with its event.

    Raises:
        ValueRewritten: one is another, or gone without an event that says so.
    """
    found, redacted = 0, 0
    for agreement_id in register.agreements_naming(session):
        events = [one.event for one in events_of(session, AgreementId(agreement_id))]
        gone = {str(one.data["notice_id"]) for one in events if one.type == ADDRESS_REDACTED}
        for event in events:
            if event.type != POSTED:
                continue
            notice_id = str(event.data["notice_id"])
            row = notices.by_id(session, notice_id)
            if row is None or (row.salt == "") != (notice_id in gone):
                raise ValueRewritten(notice_id)
            if notice_id in gone:
                redacted += 1
            elif commitment(row.salt, {"address": row.address}) != event.data["address_commitment"]:
                raise ValueRewritten(notice_id)
            else:
                found += 1
    return Committed(found, redacted)
