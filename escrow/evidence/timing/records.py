"""The tables of signatures that wait for a timestamp, and of the tokens that came.

Nothing in them is believed because it stands there: a token is checked against the signature and
the trust root by whoever hands the paper out, and again by whoever reads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, Session, SQLModel, col, select

from escrow.ground.database import UtcDateTime


class UntimedSignatureRow(SQLModel, table=True):
    """A paper's signature that no authority has seen yet; gone once it has its token."""

    __tablename__ = "untimed_signature"

    # SHA-256 of the signature, which is the imprint of its token (RFC 3161, section 2.4.1).
    imprint: str = Field(primary_key=True, max_length=64)
    signature: bytes
    signed_at: datetime = Field(sa_type=UtcDateTime, index=True)


class PaperTimestampRow(SQLModel, table=True):
    """An authority's token over a paper's signature."""

    __tablename__ = "paper_timestamp"

    imprint: str = Field(primary_key=True, max_length=64)
    authority: str = Field(max_length=80)
    at: datetime = Field(sa_type=UtcDateTime)
    token: bytes


def await_token(session: Session, imprint: str, signature: bytes, signed_at: datetime) -> None:
    """Have a signature wait for its token; once, however often it is made anew."""
    if session.get(UntimedSignatureRow, imprint) is None and not has_token(session, imprint):
        session.add(UntimedSignatureRow(imprint=imprint, signature=signature, signed_at=signed_at))
        session.flush()


def has_token(session: Session, imprint: str) -> bool:
    """Return whether a signature has its token."""
    return session.get(PaperTimestampRow, imprint) is not None


def oldest_waiting(session: Session, limit: int) -> list[tuple[str, bytes]]:
    """Return imprint and signature of those that wait the longest."""
    query = select(UntimedSignatureRow.imprint, UntimedSignatureRow.signature)
    return list(session.exec(query.order_by(col(UntimedSignatureRow.signed_at)).limit(limit)))


def waiting(session: Session) -> tuple[int, datetime | None]:
    """Return how many signatures wait, and since when the oldest does."""
    query = select(sa.func.count(), sa.func.min(UntimedSignatureRow.signed_at))
    return session.exec(query.select_from(UntimedSignatureRow)).one()


def keep_token(session: Session, imprint: str, authority: str, at: datetime, token: bytes) -> None:
    """Keep a verified token, and end the waiting for it; a second token is of no use."""
    if not has_token(session, imprint):
        row = PaperTimestampRow(imprint=imprint, authority=authority, at=at, token=token)
        session.add(row)
        session.flush()
    stop_waiting(session, imprint)


def stop_waiting(session: Session, imprint: str) -> None:
    """End the waiting for a token."""
    row = session.get(UntimedSignatureRow, imprint)
    if row is not None:
        session.delete(row)
        session.flush()


def tokens_of(session: Session, imprints: Sequence[str]) -> dict[str, tuple[str, bytes]]:
    """Return the authority's name and its token, by imprint, for those that have one."""
    query = select(PaperTimestampRow).where(col(PaperTimestampRow.imprint).in_(imprints))
    return {row.imprint: (row.authority, row.token) for row in session.exec(query)}
