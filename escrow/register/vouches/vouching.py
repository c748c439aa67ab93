"""An agent vouches for the service's public keys; whose word stands under which agreement.

Guarantees: an act is taken from an agent of the newest version, about this agreement and exactly
the trust root that the service runs under, and once. It lies verbatim here and in the ledger.
Whether he compared the fingerprint with somebody is his to say: that is what he signs.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable

from escrow.evidence.dsse import Envelope
from escrow.evidence.snapshots import vouch_subject
from escrow.ground.database import Session
from escrow.ground.digests import Sha256Hex
from escrow.ground.identifiers import AgreementId
from escrow.ledger.appending import Scribe
from escrow.register import records as versions
from escrow.register.acts import PartyAct
from escrow.register.errors import ActTaken, SignerInOtherRole
from escrow.register.reading import terms_of_row
from escrow.register.subjects import check_subject
from escrow.register.vouches import records

VOUCHED = "register:trust-root:vouched"


def record_vouch(
    session: Session, taken: PartyAct, scribe: Scribe, trust_root_sha256: Sha256Hex
) -> None:
    """Record that an agent vouches for the trust root.

    Args:
        trust_root_sha256: of the trust root that this service runs under.

    Raises:
        SignerInOtherRole: not signed by an agent.
        ActForOther: about other keys, or another agreement.
        ActTaken: this agent vouches for them already.
    """
    if taken.signatory.role != "agent":
        raise SignerInOtherRole("an agent")
    check_subject(taken.act.subject, vouch_subject(taken.agreement_id, trust_root_sha256))
    standing = records.vouches_of(session, [taken.agreement_id], trust_root_sha256)
    if taken.signatory.signing_key in {row.signing_key for row in standing}:
        raise ActTaken
    row = records.TrustRootVouchRow(
        agreement_id=taken.agreement_id,
        trust_root_sha256=trust_root_sha256,
        signing_key=taken.signatory.signing_key,
        act_sha256=taken.act.sha256,
        envelope_json=taken.envelope_json,
        vouched_at=taken.taken_at,
    )
    records.add(session, row)
    data: dict[str, object] = {
        "trust_root_sha256": trust_root_sha256,
        # Verbatim: whoever has the log alone can check who signed what.
        "act": taken.envelope.to_json(),
    }
    scribe.append(session, taken.event(VOUCHED, data))


def vouched_for(
    session: Session, agreement_ids: Iterable[AgreementId], trust_root_sha256: Sha256Hex
) -> dict[str, list[Envelope]]:
    """Return, for each agreement, the acts of its present agents that vouch for a trust root.

    Who is an agent no more is left out: whoever holds the text in force would not know him.
    """
    found: dict[str, list[Envelope]] = defaultdict(list)
    wanted = list(agreement_ids)
    for row in records.vouches_of(session, wanted, trust_root_sha256):
        # Read past its end: papers outlive an agreement that was destroyed, its certificate first.
        version = versions.version_in_force(session, AgreementId(row.agreement_id))
        agents = terms_of_row(version).agents if version else ()
        if row.signing_key in {agent.signing_key for agent in agents}:
            found[row.agreement_id].append(Envelope.from_json(json.loads(row.envelope_json)))
    return dict(found)
