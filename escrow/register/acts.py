"""From an envelope to an act of a party: who signed, under which version, about what; pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from agreements.terms import Agreement, Signatory
from escrow.evidence.acts import Act, parse_act, verify_act
from escrow.evidence.dsse import Envelope
from escrow.evidence.errors import EnvelopeSignatureWrong
from escrow.ground.identifiers import AgreementId
from escrow.ledger.events import NewEvent, Stream
from escrow.register.errors import ActForOther, ActSignatureWrong, SignerNotPinned
from escrow.register.subjects import check_act_time


@dataclass(frozen=True)
class PartyAct:
    """A verified act, signed by the pinned key of this signatory of these terms.

    What it is about is still to be compared with what is on file.
    """

    agreement_id: AgreementId
    version: int
    terms: Agreement
    signatory: Signatory
    act: Act
    envelope: Envelope
    taken_at: datetime

    @property
    def envelope_json(self) -> str:
        """The envelope verbatim, as it is kept."""
        return json.dumps(self.envelope.to_json())

    def event(self, event_type: str, data: dict[str, object]) -> NewEvent:
        """Return the act's event; its actor is the key that signed."""
        return NewEvent(
            Stream("agreement", self.agreement_id),
            event_type,
            f"key:{self.act.key.key_id}",
            {**data, "act_sha256": self.act.sha256},
        )


def verify_party_act(
    agreement_id: AgreementId,
    version: int,
    terms: Agreement,
    envelope: Envelope,
    now: datetime,
    *,
    governing: Agreement | None = None,
) -> PartyAct:
    """Return the act when a key that the terms pin signed it, now, for this agreement.

    Args:
        governing: the text that these terms are to replace; its parties' persons may act too.

    1. The terms pin the key that the act names. 2. The signature holds under that key. 3. The
    act's time is plausible. 4. The act names this agreement.

    Raises:
        ActMalformed: the envelope holds no act.
        SignerNotPinned: question 1.
        ActSignatureWrong, ActByOtherKey: question 2.
        ActTimeImplausible: question 3.
        ActForOther: question 4.
    """
    # 1. The key comes from the terms; the unverified act only says which of them.
    unverified = parse_act(envelope.payload)
    signatory = terms.person_of_key(str(unverified.key)) or _of_party(governing, unverified)
    if signatory is None:
        raise SignerNotPinned
    # 2. A wrong signature was sent by a caller: his mistake, and no alarm of ours.
    try:
        act = verify_act(envelope, unverified.key)
    except EnvelopeSignatureWrong:
        raise ActSignatureWrong from None
    # 3. time
    check_act_time(act.at, now)
    # 4. agreement
    if act.subject.get("agreement_id") != agreement_id:
        raise ActForOther(
            "The act is about another agreement.", "Send it to the agreement that it names."
        )
    return PartyAct(agreement_id, version, terms, signatory, act, envelope, now)


def _of_party(governing: Agreement | None, act: Act) -> Signatory | None:
    found = governing.person_of_key(str(act.key)) if governing else None
    return found if found and found.role != "agent" else None
