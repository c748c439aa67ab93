"""Which agreements govern a product now; none means that nothing may be deposited for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from agreements.terms import Agreement, Custody
from escrow.ground.database import Session
from escrow.ground.digests import Sha256Hex
from escrow.ground.identifiers import AgreementId, ProductId
from escrow.register import records
from escrow.register.errors import AgreementEnded, AgreementUnknown
from escrow.register.reading import terms_of_row


@dataclass(frozen=True)
class AgreementInForce:
    """What the intake and the keyholder need to know of an agreement that governs a product.

    Attributes:
        in_force_since: when the agreement's first version came into force; an amendment starts
            no clock anew.
    """

    agreement_id: AgreementId
    version: int
    k: int
    n: int
    custody: Custody
    text: str
    text_sha256: Sha256Hex
    terms: Agreement
    in_force_since: datetime


def agreements_in_force(session: Session, product_id: ProductId) -> list[AgreementInForce]:
    """Return every agreement that governs a product now, each in its version in force.

    Raises:
        AgreementTextTampered: a stored text lost its digest.
    """
    rows = records.versions_in_force_covering(session, product_id)
    return [_governing(session, row) for row in rows]


def version_in_force(session: Session, agreement_id: AgreementId) -> tuple[Agreement, int]:
    """Return the terms that govern an agreement now, and their version.

    Raises:
        AgreementUnknown: there is none, or nothing of it is in force yet.
        AgreementEnded: everything under it was destroyed.
        AgreementTextTampered: the stored text lost its digest.
    """
    row = records.version_in_force(session, agreement_id)
    if row is None:
        raise AgreementUnknown
    if records.agreement_end(session, agreement_id) is not None:
        raise AgreementEnded
    return terms_of_row(row), row.version


def _governing(session: Session, row: records.VersionRow) -> AgreementInForce:
    terms, agreement_id = terms_of_row(row), AgreementId(row.agreement_id)
    return AgreementInForce(
        agreement_id=agreement_id,
        version=row.version,
        k=terms.sealing.k,
        n=len(terms.agents),
        custody=terms.custody,
        text=row.text,
        text_sha256=Sha256Hex(row.text_sha256),
        terms=terms,
        in_force_since=records.in_force_since(session, agreement_id),
    )
