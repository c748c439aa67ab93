"""The table of the agents' acts that vouch for a trust root. It decides nothing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, Session, SQLModel, col, select

from escrow.ground.database import UtcDateTime


class TrustRootVouchRow(SQLModel, table=True):
    """An agent's signed act that vouches for one trust root, verbatim."""

    __tablename__ = "trust_root_vouch"

    agreement_id: str = Field(foreign_key="agreement.id", primary_key=True, max_length=40)
    trust_root_sha256: str = Field(primary_key=True, max_length=64)
    signing_key: str = Field(primary_key=True, max_length=60)
    act_sha256: str = Field(max_length=64, unique=True)
    envelope_json: str = Field(sa_type=sa.Text)
    vouched_at: datetime = Field(sa_type=UtcDateTime)


def add(session: Session, row: TrustRootVouchRow) -> None:
    """Store a row in the open transaction."""
    session.add(row)
    session.flush()


def vouches_of(
    session: Session, agreement_ids: Iterable[str], trust_root_sha256: str
) -> list[TrustRootVouchRow]:
    """Return the acts under some agreements for one trust root, in a fixed order."""
    query = select(TrustRootVouchRow).where(
        col(TrustRootVouchRow.agreement_id).in_(list(agreement_ids)),
        TrustRootVouchRow.trust_root_sha256 == trust_root_sha256,
    )
    ordered = (col(TrustRootVouchRow.agreement_id), col(TrustRootVouchRow.signing_key))
    return list(session.exec(query.order_by(*ordered)))
