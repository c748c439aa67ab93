"""Draw the offer of a release: the retained deposits, as proven events and receipts name them."""

from __future__ import annotations

from escrow.deposits import records as deposits
from escrow.endings.rules import shredded_deposits
from escrow.ground.database import Session
from escrow.ground.identifiers import DepositId, ProductId
from escrow.ledger.events import Event, Stream
from escrow.operations.keyholder.evidence_of_release import Evidence, proven_stream
from escrow.operations.keyholder.grounds import Grounds
from escrow.register import records as register
from escrow.releases.errors import OfferBroken
from escrow.releases.offers import (
    Offer,
    OfferedDeposit,
    bundle_kinds,
    is_sealing,
    last_before,
    last_verified,
    offered_deposit,
    sealed_deposits,
    sent_in,
    verdicts,
)
from escrow.vault import records as vault
from escrow.vault.releasing import newest_agents_records


def draw_offer(on: Grounds, session: Session, evidence: Evidence) -> Offer:
    """Return what may be handed over under a request.

    Raises:
        OfferBroken: a receipt is not the one that the ledger names.
        NotInLedger, ProofFails: a product's stream does not hold.
    """
    history = evidence.history
    found: list[OfferedDeposit] = []
    products = register.products_of(session, evidence.agreement_id, [evidence.version])
    for product_id in sorted(products):
        found += _of_product(on, session, evidence, product_id)
    return Offer(
        agreement_id=evidence.agreement_id,
        request_id=evidence.request_id,
        bundle=tuple(history.condition.frees),
        deposits=tuple(found),
        last_verified=last_verified(found),
        last_before_filing=last_before(found, history.request.at),
    )


def _of_product(
    on: Grounds, session: Session, evidence: Evidence, product_id: ProductId
) -> list[OfferedDeposit]:
    stream = Stream("product", product_id)
    events = [one.event for one in proven_stream(on, session, stream).events]
    gone = shredded_deposits(events)
    sealed = [
        one
        for one in sealed_deposits(events, evidence.agreement_id)
        if one.data["deposit_id"] not in gone
    ]
    reached = verdicts(one.event for one in evidence.events)
    kinds = bundle_kinds(evidence.history.condition.frees)
    rows = vault.headers_of_agreement(session, evidence.agreement_id)
    opening = frozenset(newest_agents_records(rows, frozenset({evidence.epoch.epoch})))
    # Of every deposit: a part may be carried from one that this agreement does not cover. It is
    # named then, and does not open.
    earlier = {str(one.data["deposit_id"]): sent_in(one) for one in events if is_sealing(one)}
    return [
        offered_deposit(
            one,
            _receipt(session, one),
            earlier,
            reached.get(str(one.data["deposit_id"])),
            kinds,
            opening,
        )
        for one in sealed
    ]


def _receipt(session: Session, sealed: Event) -> bytes:
    row = deposits.deposit_by_id(session, DepositId(str(sealed.data["deposit_id"])))
    if row is None or row.receipt_statement is None:
        raise OfferBroken(f"the receipt of {sealed.data['deposit_id']} is gone")
    return row.receipt_statement
