"""Queries that delete what opens a payload, and the list of payloads that may be removed.

Only the keyholder deletes a header or a document's row (``operations/database_roles.py``), and it
does so in the transaction of the event that says so. These functions decide nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, Session, SQLModel, col, select

from escrow.ground.database import UtcDateTime
from escrow.ground.identifiers import AgreementId, DepositId, ProductId
from escrow.vault.records import DocumentRow, HeaderRecordRow, ReleasedHeaderRow


class DoomedPayloadRow(SQLModel, table=True):
    """A sealed payload whose headers are gone: ciphertext that is still to be removed."""

    __tablename__ = "doomed_payload"

    payload_sha256: str = Field(primary_key=True, max_length=64)
    # The withdrawal, destruction or deposit by which its headers went.
    cause: str = Field(max_length=40)
    product_id: str = Field(index=True, max_length=40)
    doomed_at: datetime = Field(sa_type=UtcDateTime)
    removed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    # Object Lock: the store refuses to remove it before.
    locked_until: datetime | None = Field(default=None, sa_type=UtcDateTime)


def delete_headers_of_payloads(
    session: Session, product_id: ProductId, payloads: Iterable[str]
) -> int:
    """Delete every header of a product's payloads, of whatever agreement; return how many."""
    of_payloads = col(HeaderRecordRow.payload_sha256).in_(list(payloads))
    of_product = col(HeaderRecordRow.product_id) == product_id
    return _delete(session, HeaderRecordRow, sa.and_(of_payloads, of_product))


def delete_headers_of_agreement(session: Session, agreement_id: AgreementId) -> int:
    """Delete every header record under an agreement; return how many."""
    return _delete(session, HeaderRecordRow, col(HeaderRecordRow.agreement_id) == agreement_id)


def delete_documents_of(session: Session, deposit_id: DepositId) -> list[str]:
    """Delete the documents of a deposit, headers and all; return the digests of their payloads."""
    of_deposit = col(DocumentRow.deposit_id) == deposit_id
    payloads = list(session.exec(select(DocumentRow.payload_sha256).where(of_deposit)))
    _delete(session, DocumentRow, of_deposit)
    return payloads


def payloads_of_agreement(session: Session, agreement_id: AgreementId) -> dict[str, str]:
    """Return the payloads that an agreement has headers of, each with its product."""
    query = select(HeaderRecordRow.payload_sha256, HeaderRecordRow.product_id)
    return dict(session.exec(query.where(HeaderRecordRow.agreement_id == agreement_id)).all())


def still_headed(session: Session, payloads: Iterable[str]) -> set[str]:
    """Return the payloads that somebody can still open: by a header, a document, a release."""
    wanted, found = list(payloads), set[str]()
    for table in (HeaderRecordRow, DocumentRow, ReleasedHeaderRow):
        named = col(table.payload_sha256)
        found |= set(session.exec(select(named).where(named.in_(wanted))))
    return found


def doom(
    session: Session, payloads: Iterable[str], cause: str, product_id: str, now: datetime
) -> None:
    """List payloads for removal; one that is listed stays as it is."""
    for payload in sorted(set(payloads)):
        if session.get(DoomedPayloadRow, payload) is None:
            session.add(
                DoomedPayloadRow(
                    payload_sha256=payload, cause=cause, product_id=product_id, doomed_at=now
                )
            )
    session.flush()


def doomed(session: Session, now: datetime) -> Sequence[DoomedPayloadRow]:
    """Return the payloads that are to be removed and that no lock holds, oldest first."""
    query = select(DoomedPayloadRow).where(
        col(DoomedPayloadRow.removed_at).is_(None),
        sa.or_(
            col(DoomedPayloadRow.locked_until).is_(None),
            col(DoomedPayloadRow.locked_until) <= now,
        ),
    )
    return session.exec(query.order_by(col(DoomedPayloadRow.doomed_at))).all()


def doomed_payload(session: Session, payload_sha256: str) -> DoomedPayloadRow | None:
    """Return a payload that is listed for removal."""
    return session.get(DoomedPayloadRow, payload_sha256)


def in_use(session: Session, payload_sha256: str) -> bool:
    """Return whether somebody can open a payload."""
    return bool(still_headed(session, [payload_sha256]))


def doomed_by(session: Session, cause: str) -> Sequence[DoomedPayloadRow]:
    """Return the payloads that went by one ending, removed or not."""
    query = select(DoomedPayloadRow).where(DoomedPayloadRow.cause == cause)
    return session.exec(query.order_by(DoomedPayloadRow.payload_sha256)).all()


def note_removed(session: Session, row: DoomedPayloadRow, now: datetime) -> None:
    """Note that a payload is gone from the store."""
    row.removed_at = now
    session.add(row)
    session.flush()


def note_locked(session: Session, row: DoomedPayloadRow, until: datetime) -> None:
    """Note until when the store refuses."""
    row.locked_until = until
    session.add(row)
    session.flush()


def _delete(session: Session, table: type[SQLModel], where: sa.ColumnElement[bool]) -> int:
    done = session.execute(sa.delete(table).where(where))
    return int(done.rowcount)  # type: ignore[attr-defined]
