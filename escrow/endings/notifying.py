"""Who is told of a step of an ending, posted into the outbox in the transaction of the step.

Everybody of the agreement is told: what ends is everybody's. A notice starts no period.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from agreements.terms import Agreement
from escrow.endings.states import Step
from escrow.ground.database import Session
from escrow.ground.identifiers import AgreementId
from escrow.ledger.appending import Scribe
from escrow.notices import outbox
from escrow.notices.notices import Kind
from escrow.notices.readers import everybody, letters_to

# Total over TOLD; a test holds it.
KIND_OF: Mapping[Step, Kind] = {
    Step.PLACE: Kind.HOLD_PLACED,
    Step.LIFT: Kind.HOLD_LIFTED,
    Step.WITHDRAW: Kind.DEPOSIT_WITHDRAWN,
    Step.TAKE_BACK: Kind.WITHDRAWAL_CANCELLED,
    Step.SHRED: Kind.DEPOSIT_SHREDDED,
    Step.REQUEST: Kind.DESTRUCTION_REQUESTED,
    Step.SERVE: Kind.DESTRUCTION_SERVED,
    Step.END_GRACE: Kind.DESTRUCTION_CONFIRMABLE,
    Step.OBJECT: Kind.DESTRUCTION_OBJECTED,
    Step.CANCEL: Kind.DESTRUCTION_CANCELLED,
    Step.EXECUTE: Kind.DESTRUCTION_EXECUTED,
}


def notify(
    session: Session,
    scribe: Scribe,
    ending_id: str,
    step: Step,
    agreements: Iterable[tuple[AgreementId, Agreement]],
    now: datetime,
) -> None:
    """Post the notices of a step; the same step again posts nothing new."""
    kind = KIND_OF.get(step)
    if kind is None:
        return
    for agreement_id, terms in agreements:
        letters = letters_to(
            everybody(terms),
            terms,
            agreement_id,
            about=f"{ending_id}:{step}:{agreement_id}",
            kind=kind,
            path=f"/api/v1/agreements/{agreement_id}/endings",
        )
        for notice in letters:
            outbox.post(session, scribe, notice, actor=scribe.role, now=now)
