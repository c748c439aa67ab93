"""Ask the agents: a session is written down here, and opened by the keyholder.

What stands in these rows is a wish. The keyholder finds out itself which key is meant of each
agreement, and logs that.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from escrow.custody import records
from escrow.custody.errors import NothingToAsk
from escrow.custody.sessions import MAX_AGREEMENTS, Purpose
from escrow.ground.database import Session
from escrow.ground.identifiers import AgreementId, new_id


def ask_agents(
    session: Session,
    purpose: Purpose,
    agreements: Sequence[AgreementId],
    asked_by: str,
    now: datetime,
) -> str:
    """Write a session down and return its id.

    Args:
        agreements: of one panel: every agent is an agent of all of them.

    Raises:
        NothingToAsk: none, too many, one without a key that counts, or of different agents.
    """
    wanted = list(dict.fromkeys(agreements))
    if not 0 < len(wanted) <= MAX_AGREEMENTS:
        raise NothingToAsk(f"it takes 1 to {MAX_AGREEMENTS} agreements")
    panel = set(records.panel_of(session, wanted[0]))
    if wanted[0] not in panel:
        raise NothingToAsk("no key of the agreement counts yet")
    if not set(wanted) <= panel:
        raise NothingToAsk("the agreements have different agents, or no key that counts")
    row = records.SessionRow(id=new_id("ses"), purpose=purpose, asked_by=asked_by, asked_at=now)
    records.add(session, row)
    items = [
        records.ItemRow(session_id=row.id, place=place, agreement_id=one)
        for place, one in enumerate(wanted)
    ]
    records.add(session, *items)
    return row.id
