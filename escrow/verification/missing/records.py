"""The table of signed notices that a deposit is missing. It decides nothing."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, Session, SQLModel, col, select

from escrow.ground.database import UtcDateTime


class MissingDepositRow(SQLModel, table=True):
    """One signed notice: one for each period that an agreement waited in vain."""

    __tablename__ = "missing_deposit"

    agreement_id: str = Field(foreign_key="agreement.id", primary_key=True, max_length=40)
    product_id: str = Field(foreign_key="product.id", primary_key=True, max_length=40)
    # The day on which the deposit was due names the period, whatever the clock says later.
    due_at: datetime = Field(sa_type=UtcDateTime, primary_key=True)
    signed_at: datetime = Field(sa_type=UtcDateTime)
    statement_sha256: str = Field(max_length=64)
    entry_sha256: str = Field(index=True, max_length=64)
    document: str = Field(sa_type=sa.Text)


def add(session: Session, row: MissingDepositRow) -> None:
    """Store a row in the open transaction."""
    session.add(row)
    session.flush()


def is_signed(session: Session, agreement_id: str, product_id: str, due_at: datetime) -> bool:
    """Return whether the notice of a period stands."""
    return session.get(MissingDepositRow, (agreement_id, product_id, due_at)) is not None


def notices_of(session: Session, agreement_id: str) -> list[MissingDepositRow]:
    """Return every notice under an agreement, newest first."""
    query = select(MissingDepositRow).where(MissingDepositRow.agreement_id == agreement_id)
    return list(session.exec(query.order_by(col(MissingDepositRow.due_at).desc())))


def count_since(session: Session, agreement_id: str, product_id: str, since: datetime) -> int:
    """Return for how many periods in a row nothing came that counts."""
    query = select(sa.func.count()).where(
        MissingDepositRow.agreement_id == agreement_id,
        MissingDepositRow.product_id == product_id,
        col(MissingDepositRow.due_at) > since,
    )
    return int(session.exec(query).one())
