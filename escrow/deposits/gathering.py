"""What a receipt states of a deposit, put together from the rooms that know it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from escrow.custody.reading import agents_on_papers
from escrow.deposits import records
from escrow.deposits.errors import DepositUnknown
from escrow.deposits.facts import AgreementTerms, deposit_facts
from escrow.evidence.receipts import DepositFacts
from escrow.ground.database import Session
from escrow.ground.identifiers import AgreementId, DepositId, OrganisationId, ProductId
from escrow.parties import records as parties


def gathered_facts(
    session: Session,
    row: records.Deposit,
    agreements: Sequence[AgreementTerms],
    not_served: tuple[AgreementId, ...],
    now: datetime,
) -> DepositFacts:
    """Return what is stated of a deposit that has just got its number.

    Args:
        agreements: in force, that it serves.
        not_served: in force too, but not served by what its vendor sealed himself.

    Raises:
        DepositUnknown: its product is gone.
    """
    product = records.product_by_id(session, ProductId(row.product_id))
    if product is None:
        raise DepositUnknown
    vendor = parties.organisation(session, OrganisationId(product.organisation_id))
    address = f"{vendor.slug if vendor else product.organisation_id}/{product.slug}"
    parts = records.parts_of(session, DepositId(row.id))
    origins = records.deposits_of_parts(session, [part.carried_from for part in parts])
    agents = {
        one.agreement_id: agents_on_papers(session, one.agreement_id, now) for one in agreements
    }
    return deposit_facts(row, address, parts, origins, agreements, agents, not_served)
