"""Changes of a beneficiary's recipients, folded from the agreement's events; pure.

Portal, keyholder and the agents' client fold the same way, and believe no event: each act is
verified again under the keys that the text pins. A change belongs to the text under which it was
signed; a newer text in force names its recipients itself. There is no row that could say otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from agreements.periods import end_of
from agreements.terms import Agreement, Party, Signatory
from escrow.evidence.acts import Act, parse_act, verify_act
from escrow.evidence.dsse import Envelope
from escrow.ground.digests import Sha256Hex
from escrow.ground.errors import EscrowError
from escrow.ledger.events import Event
from escrow.register.errors import ChangeBroken

# Longer than a holiday: whoever would notice a change that he never made has to see the notice.
COOLING_OFF = timedelta(days=30)

PROPOSED = "register:recipient:change-proposed"
PROVEN = "register:recipient:change-proven"
WITHDRAWN = "register:recipient:change-withdrawn"

ACT_OF: Mapping[str, str] = {
    PROPOSED: "change-recipient",
    PROVEN: "prove-changed-recipient",
    WITHDRAWN: "withdraw-recipient-change",
}

ChangeStanding = Literal["proposed", "cooling-off", "counts", "withdrawn"]


@dataclass(frozen=True)
class RecipientChange:
    """One change, proposed by a person of the beneficiary.

    Args:
        id: SHA-256 of the act that proposed it.
        place: of that act in the agreement's stream.
        proven_place, proven_at: of the act that showed that the new key opens; None before.
        withdrawn_at: when a person of the beneficiary took it back; it may have been too late.
    """

    id: Sha256Hex
    organisation: str
    kind: str
    recipient: str
    by: Signatory
    proposed_at: datetime
    place: int
    proven_at: datetime | None = None
    proven_place: int | None = None
    withdrawn_at: datetime | None = None

    @property
    def counts_from(self) -> datetime | None:
        """The end of the last day of the cooling-off, everywhere on earth; None before a proof."""
        if self.proven_at is None:
            return None
        return end_of((self.proven_at + COOLING_OFF).date())

    @property
    def is_withdrawn(self) -> bool:
        """Whether it was taken back in time."""
        if self.withdrawn_at is None:
            return False
        return self.counts_from is None or self.withdrawn_at <= self.counts_from

    def standing(self, at: datetime) -> ChangeStanding:
        """Return where it stands."""
        if self.is_withdrawn:
            return "withdrawn"
        if self.counts_from is None:
            return "proposed"
        return "counts" if at > self.counts_from else "cooling-off"

    def waits(self, at: datetime) -> bool:
        """Tell whether it is neither counting nor taken back."""
        return self.standing(at) in ("proposed", "cooling-off")


def fold_changes(events: Iterable[Event], terms: Agreement) -> tuple[RecipientChange, ...]:
    """Return the changes that were signed under a text, in the order in which they were proposed.

    Args:
        events: of the agreement's stream, in order; others are passed over.

    Raises:
        ChangeBroken: one holds no act of a person who may do it.
    """
    found: dict[str, RecipientChange] = {}
    for event in events:
        if event.type in ACT_OF and event.data.get("text_sha256") == terms.text_sha256:
            _take(found, event, terms)
    return tuple(found.values())


def counting_recipients(
    party: Party, changes: Sequence[RecipientChange], at: datetime
) -> dict[str, str]:
    """Return a party's recipients that count at a time, by kind: the text's, then each change."""
    counting = {str(one.kind): one.recipient for one in party.recipients}
    own = [one for one in changes if one.organisation == party.organisation]
    own = [one for one in own if one.standing(at) == "counts"]
    for one in sorted(own, key=lambda change: (change.counts_from, change.place)):
        counting[one.kind] = one.recipient
    return counting


def change_subject(
    agreement_id: str, text_sha256: str, kind: str, recipient: str
) -> dict[str, object]:
    """Return the subject of ``change-recipient``."""
    return {
        "agreement_id": agreement_id,
        "text_sha256": text_sha256,
        "kind": kind,
        "recipient": recipient,
    }


def change_proof_subject(
    agreement_id: str, change_id: str, recipient: str, secret: bytes
) -> dict[str, object]:
    """Return the subject of ``prove-changed-recipient``."""
    return {
        "agreement_id": agreement_id,
        "change": change_id,
        "recipient": recipient,
        "secret": secret.hex(),
    }


def change_withdrawal_subject(agreement_id: str, change_id: str) -> dict[str, object]:
    """Return the subject of ``withdraw-recipient-change``."""
    return {"agreement_id": agreement_id, "change": change_id}


def may_propose(signatory: Signatory) -> bool:
    """Tell whether a person binds a beneficiary alone, as whoever files a request has to."""
    return signatory.role == "beneficiary" and signatory.signs == "single"


def _take(found: dict[str, RecipientChange], event: Event, terms: Agreement) -> None:
    signatory, act = _verified(event, terms)
    if act.sha256 in found:
        # Written again it would take back what happened to it since.
        return
    if event.type == PROPOSED:
        party = terms.party(signatory.organisation)
        kind = act.subject.get("kind")
        kinds = {str(one.kind) for one in party.recipients} if party else set()
        if not may_propose(signatory) or kind not in kinds:
            raise ChangeBroken(event.type)
        if act.subject.get("text_sha256") != terms.text_sha256:
            raise ChangeBroken(event.type)
        found[act.sha256] = RecipientChange(
            id=act.sha256,
            organisation=signatory.organisation,
            kind=str(kind),
            recipient=str(act.subject.get("recipient")),
            by=signatory,
            proposed_at=event.at,
            place=event.sequence,
        )
        return
    change = found.get(str(act.subject.get("change")))
    if change is None or change.organisation != signatory.organisation:
        raise ChangeBroken(event.type)
    found[change.id] = _after(change, event, act)


def _after(change: RecipientChange, event: Event, act: Act) -> RecipientChange:
    # Of the entry's time and the person's own the one that takes less from the beneficiary: who
    # holds the ledger's pen alone cannot shorten the cooling-off, nor make a withdrawal late.
    if event.type == PROVEN:
        if act.subject.get("recipient") != change.recipient:
            raise ChangeBroken(event.type)
        if change.proven_at is not None:
            return change
        at = max(event.at, act.at)
        return replace(change, proven_at=at, proven_place=event.sequence)
    at = min(event.at, act.at)
    return replace(change, withdrawn_at=min(at, change.withdrawn_at or at))


def _verified(event: Event, terms: Agreement) -> tuple[Signatory, Act]:
    """Return the act behind an event, and the beneficiary's person who signed it.

    Raises:
        ChangeBroken: nobody did who may.
    """
    if event.role != "portal":
        raise ChangeBroken(event.type)
    try:
        envelope = Envelope.from_json(cast("dict[str, Any]", event.data["act"]))
        unverified = parse_act(envelope.payload)
        signatory = terms.person_of_key(str(unverified.key))
        act = verify_act(envelope, unverified.key)
    except (EscrowError, KeyError, TypeError, ValueError):
        raise ChangeBroken(event.type) from None
    is_right = act.name == ACT_OF[event.type] and act.subject.get("agreement_id") == event.stream.id
    if signatory is None or signatory.role != "beneficiary" or not is_right:
        raise ChangeBroken(event.type)
    return signatory, act
