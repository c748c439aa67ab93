"""The tables of endings and every query over them. They decide nothing.

A row repeats what the events say, so that lists need no folding; whoever decides folds the events.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, Session, SQLModel, col, select

from escrow.endings.states import FINAL, Kind, State
from escrow.ground.database import UtcDateTime
from escrow.ground.identifiers import AgreementId


class EndingRow(SQLModel, table=True):
    """A hold, a withdrawal or a destruction, as its events have left it."""

    __tablename__ = "ending"

    id: str = Field(primary_key=True, max_length=40)
    agreement_id: str = Field(foreign_key="agreement.id", index=True, max_length=40)
    kind: str = Field(max_length=16)
    # Of a withdrawal.
    deposit_id: str | None = Field(default=None, index=True, max_length=40)
    organisation: str = Field(max_length=64)
    state: str = Field(index=True, max_length=16)
    filed_at: datetime = Field(sa_type=UtcDateTime)
    changed_at: datetime = Field(sa_type=UtcDateTime)


class EndingPaperRow(SQLModel, table=True):
    """A statement or a proof of service, as it was sent."""

    __tablename__ = "ending_paper"

    ending_id: str = Field(foreign_key="ending.id", primary_key=True, max_length=40)
    sha256: str = Field(primary_key=True, max_length=64)
    kind: str = Field(max_length=40)
    name: str = Field(max_length=120)
    content: bytes
    sent_at: datetime = Field(sa_type=UtcDateTime)


class DestructionCertificateRow(SQLModel, table=True):
    """The certificate of a destruction: its bytes and signature."""

    __tablename__ = "destruction_certificate"

    ending_id: str = Field(foreign_key="ending.id", primary_key=True, max_length=40)
    statement_sha256: str = Field(max_length=64)
    document: str = Field(sa_type=sa.Text)
    entry_sha256: str = Field(max_length=64)
    signed_at: datetime = Field(sa_type=UtcDateTime)


def add(session: Session, *rows: SQLModel) -> None:
    """Store new rows."""
    session.add_all(rows)
    session.flush()


def ending_by_id(session: Session, ending_id: str) -> EndingRow | None:
    """Return an ending."""
    return session.get(EndingRow, ending_id)


def endings_of(session: Session, agreement_id: AgreementId) -> Sequence[EndingRow]:
    """Return the endings of an agreement, newest first."""
    query = select(EndingRow).where(EndingRow.agreement_id == agreement_id)
    return session.exec(query.order_by(col(EndingRow.filed_at).desc(), EndingRow.id)).all()


def open_endings(session: Session) -> Sequence[EndingRow]:
    """Return every withdrawal and destruction that has not ended, oldest first."""
    query = select(EndingRow).where(
        EndingRow.kind != Kind.HOLD, col(EndingRow.state).not_in(sorted(FINAL))
    )
    return session.exec(query.order_by(col(EndingRow.filed_at))).all()


def open_of_kind(session: Session, agreement_id: AgreementId, kind: Kind) -> Sequence[EndingRow]:
    """Return the endings of a kind under an agreement that have not ended."""
    query = select(EndingRow).where(
        EndingRow.agreement_id == agreement_id,
        EndingRow.kind == kind,
        col(EndingRow.state).not_in(sorted(FINAL)),
    )
    return session.exec(query).all()


def write_state(session: Session, row: EndingRow, state: State, at: datetime) -> None:
    """Repeat in the row what an event has changed."""
    row.state, row.changed_at = state, at
    session.add(row)
    session.flush()


def papers_of(session: Session, ending_id: str) -> Sequence[EndingPaperRow]:
    """Return the papers of an ending in the order in which they came."""
    query = select(EndingPaperRow).where(EndingPaperRow.ending_id == ending_id)
    return session.exec(query.order_by(col(EndingPaperRow.sent_at), EndingPaperRow.sha256)).all()


def paper(session: Session, ending_id: str, sha256: str) -> EndingPaperRow | None:
    """Return one paper of an ending."""
    return session.get(EndingPaperRow, (ending_id, sha256))


def keep_paper(session: Session, row: EndingPaperRow) -> None:
    """Keep a paper; the same one sent again is the same row."""
    if paper(session, row.ending_id, row.sha256) is None:
        add(session, row)


def certificate_of(session: Session, ending_id: str) -> DestructionCertificateRow | None:
    """Return the certificate of a destruction."""
    return session.get(DestructionCertificateRow, ending_id)
