"""Bodies of the calls about agreements."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import Field

from agreements.terms import Agreement
from escrow.ground.clock import rfc3339
from escrow.ground.digests import sha256_hex
from escrow.portal.schemas.parties import Body
from escrow.register.changes import RecipientChange, counting_recipients


class CanaryShareBody(Body):
    """An agent's share of the canary, sealed to the agent who opens it."""

    recipient: str = Field(max_length=4000, description="age1… of the opening agent")
    file: str = Field(max_length=40_000, description="base64 of an age file")


def described_recipients(
    terms: Agreement, changes: Sequence[RecipientChange], now: datetime
) -> dict[str, object]:
    """Return the recipients that count, and the changes, as an answer has them."""
    counting = [
        {
            "organisation": party.organisation,
            "kind": kind,
            "recipient": recipient,
            "sha256": sha256_hex(recipient.encode()),
        }
        for party in terms.beneficiaries
        for kind, recipient in counting_recipients(party, changes, now).items()
    ]
    return {"recipients": counting, "changes": [_change(one, now) for one in changes]}


def _change(change: RecipientChange, now: datetime) -> dict[str, object]:
    return {
        "id": change.id,
        "organisation": change.organisation,
        "kind": change.kind,
        "recipient": change.recipient,
        "sha256": sha256_hex(change.recipient.encode()),
        "standing": change.standing(now),
        "proposed_by": change.by.name,
        "proposed_at": rfc3339(change.proposed_at),
        "proven_at": rfc3339(change.proven_at) if change.proven_at else None,
        "counts_from": rfc3339(change.counts_from) if change.counts_from else None,
    }
