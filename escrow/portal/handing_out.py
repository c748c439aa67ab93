"""A signed document on its way out: with its timestamps, and the keys that agents vouch for."""

from __future__ import annotations

import json
from collections.abc import Iterable

from escrow.deposits.records import Deposit
from escrow.evidence.bundles import SignedDocument
from escrow.evidence.snapshots import snapshot_of
from escrow.evidence.timing.papers import with_timestamps
from escrow.ground.database import Session
from escrow.ground.identifiers import AgreementId, ProductId
from escrow.ledger.proofs import proof_of
from escrow.parties.permissions import Principal
from escrow.portal.finding import agreement_between
from escrow.portal.rooms import Rooms
from escrow.portal.routes.standing import class_of
from escrow.register.inforce import agreements_in_force
from escrow.register.vouches.vouching import vouched_for
from escrow.verification.report import VENDOR


def agreements_read_under(
    session: Session, asker: Principal, deposit: Deposit
) -> list[AgreementId]:
    """Return the agreements in force for a deposit's product under which the asker reads."""
    product_id = ProductId(deposit.product_id)
    if class_of(asker) == VENDOR:
        return [one.agreement_id for one in agreements_in_force(session, product_id)]
    found = agreement_between(session, asker, product_id)
    return [AgreementId(found)] if found else []


def handed_out(
    session: Session, rooms: Rooms, text: str, agreement_ids: Iterable[AgreementId]
) -> str:
    """Return a document's text with its timestamps and the snapshot, where it has them by now.

    Args:
        text: as it is stored; what is signed in it is not touched.
        agreement_ids: those under which the reader reads.

    Raises:
        TimestampWrong: a stored timestamp was changed.
    """
    root = rooms.trust_root
    stored = SignedDocument.from_json(text)
    if root.role_of(stored.envelope.signatures[0][0]) is None:
        # Signed under keys of another time: today's agents and authorities do not speak of those.
        return text
    document = with_timestamps(session, stored, root.anchors.authorities)
    vouched = vouched_for(session, agreement_ids, root.sha256())
    if vouched:
        document = document.with_snapshot(snapshot_of(root, vouched))
    return text if document == stored else document.to_json()


def handed_out_with_proof(
    session: Session, rooms: Rooms, text: str, entry_sha256: str, agreement_id: AgreementId
) -> dict[str, object]:
    """Return a certificate's document with its newest proof and the snapshot of its agreement.

    A certificate is kept as the keyholder signed it; what proves it in the ledger grows later.

    Args:
        entry_sha256: names the entry that issued it.
        agreement_id: that it was made under.
    """
    proof = proof_of(session, entry_sha256)
    if proof is not None:
        text = SignedDocument.from_json(text).with_proof(proof).to_json()
    document: dict[str, object] = json.loads(handed_out(session, rooms, text, [agreement_id]))
    return document
