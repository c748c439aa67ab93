"""The tables of release requests and every query over them. They decide nothing.

A request's row repeats what its events say, so that lists need no folding; whoever decides folds
the events. Papers are the parties' own words and proofs, kept for the parties of the agreement.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, Session, SQLModel, col, select

from agreements.requests import FINAL
from escrow.ground.database import UtcDateTime
from escrow.ground.identifiers import AgreementId, RequestId


class ReleaseRequestRow(SQLModel, table=True):
    """A release request, as its events have left it."""

    __tablename__ = "release_request"

    id: str = Field(primary_key=True, max_length=40)
    agreement_id: str = Field(foreign_key="agreement.id", index=True, max_length=40)
    version: int
    condition: str = Field(max_length=64)
    organisation: str = Field(index=True, max_length=64)
    state: str = Field(index=True, max_length=24)
    filed_at: datetime = Field(sa_type=UtcDateTime)
    changed_at: datetime = Field(sa_type=UtcDateTime)


class ReleasePaperRow(SQLModel, table=True):
    """A statement, a piece of evidence or a proof of service, as it was sent."""

    __tablename__ = "release_paper"

    request_id: str = Field(foreign_key="release_request.id", primary_key=True, max_length=40)
    sha256: str = Field(primary_key=True, max_length=64)
    kind: str = Field(max_length=40)
    name: str = Field(max_length=120)
    content: bytes
    sent_at: datetime = Field(sa_type=UtcDateTime)


class ReleaseRereadingRow(SQLModel, table=True):
    """That the stored payloads were read on one occasion, and how many were damaged."""

    __tablename__ = "release_rereading"

    request_id: str = Field(foreign_key="release_request.id", primary_key=True, max_length=40)
    occasion: str = Field(primary_key=True, max_length=16)
    damaged: int


class ReleaseCertificateRow(SQLModel, table=True):
    """The certificate of a release: its bytes and signature, and the proof once there is one."""

    __tablename__ = "release_certificate"

    request_id: str = Field(foreign_key="release_request.id", primary_key=True, max_length=40)
    statement_sha256: str = Field(max_length=64)
    document: str = Field(sa_type=sa.Text)
    entry_sha256: str = Field(max_length=64)
    signed_at: datetime = Field(sa_type=UtcDateTime)


def add(session: Session, *rows: SQLModel) -> None:
    """Store new rows."""
    session.add_all(rows)
    session.flush()


def request_by_id(session: Session, request_id: RequestId) -> ReleaseRequestRow | None:
    """Return a request."""
    return session.get(ReleaseRequestRow, request_id)


def requests_of(session: Session, agreements: Sequence[AgreementId]) -> list[ReleaseRequestRow]:
    """Return the requests under these agreements, newest first."""
    query = (
        select(ReleaseRequestRow)
        .where(col(ReleaseRequestRow.agreement_id).in_(list(agreements)))
        .order_by(col(ReleaseRequestRow.filed_at).desc(), col(ReleaseRequestRow.id).desc())
    )
    return list(session.exec(query))


def open_requests(session: Session) -> list[ReleaseRequestRow]:
    """Return every request that has not ended, oldest first."""
    query = (
        select(ReleaseRequestRow)
        .where(col(ReleaseRequestRow.state).not_in(sorted(FINAL)))
        .order_by(col(ReleaseRequestRow.filed_at))
    )
    return list(session.exec(query))


def write_state(session: Session, row: ReleaseRequestRow, state: str, at: datetime) -> None:
    """Repeat in the row what an event has changed."""
    row.state, row.changed_at = state, at
    session.add(row)
    session.flush()


def papers_of(session: Session, request_id: RequestId) -> list[ReleasePaperRow]:
    """Return the papers of a request in the order in which they came."""
    query = select(ReleasePaperRow).where(col(ReleasePaperRow.request_id) == request_id)
    return list(session.exec(query.order_by(col(ReleasePaperRow.sent_at), ReleasePaperRow.sha256)))


def paper(session: Session, request_id: RequestId, sha256: str) -> ReleasePaperRow | None:
    """Return one paper of a request."""
    return session.get(ReleasePaperRow, (request_id, sha256))


def keep_paper(session: Session, row: ReleasePaperRow) -> None:
    """Keep a paper; the same one sent again is the same row."""
    session.merge(row)
    session.flush()


def take_rereading(session: Session, request_id: RequestId, occasion: str, damaged: int) -> bool:
    """Note one reading of the payloads; False where this occasion has been noted."""
    if session.get(ReleaseRereadingRow, (request_id, occasion)) is not None:
        return False
    add(session, ReleaseRereadingRow(request_id=request_id, occasion=occasion, damaged=damaged))
    return True


def rereadings_of(session: Session, request_id: RequestId) -> list[ReleaseRereadingRow]:
    """Return on which occasions the payloads of a request were read."""
    query = select(ReleaseRereadingRow).where(col(ReleaseRereadingRow.request_id) == request_id)
    return list(session.exec(query.order_by(ReleaseRereadingRow.occasion)))


def certificate_of(session: Session, request_id: RequestId) -> ReleaseCertificateRow | None:
    """Return the certificate of a release."""
    return session.get(ReleaseCertificateRow, request_id)
