"""The outbox's table and every query over it. They decide nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import sqlalchemy as sa
from sqlmodel import Field, Session, SQLModel, col, select

from escrow.ground.database import UtcDateTime


class NoticeRow(SQLModel, table=True):
    """One notice: what is to be told to whom, and how far that got."""

    __tablename__ = "notice"

    id: str = Field(primary_key=True, max_length=40)
    key: str = Field(unique=True, max_length=200)
    kind: str = Field(max_length=40)
    reader: str = Field(max_length=16)
    # No foreign key: agreements lie above this room.
    agreement_id: str = Field(index=True, max_length=40)
    request_id: str | None = Field(default=None, max_length=40)
    last_day: date | None = None
    calendar: str | None = Field(default=None, max_length=20)
    path: str = Field(default="", max_length=200)
    language: str = Field(max_length=12)
    # As somebody wrote it, however long; what stands in a mail is checked when it is composed.
    address: str = Field(sa_type=sa.Text)
    salt: str = Field(max_length=64)
    posted_at: datetime = Field(sa_type=UtcDateTime)
    attempts: int = 0
    first_attempt_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    # None once the notice has ended; while it is being sent, the end of the lease.
    next_attempt_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
    # Fixed at the first attempt, so that a repetition has the same whatever the settings say.
    message_id: str | None = Field(default=None, max_length=400)
    answer: str | None = Field(default=None, max_length=40)
    sent_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    failed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


def keep(session: Session, row: NoticeRow) -> None:
    """Write a changed notice and flush."""
    session.add(row)
    session.flush()


def by_key(session: Session, key: str) -> NoticeRow | None:
    """Return the notice of a key."""
    return session.exec(select(NoticeRow).where(NoticeRow.key == key)).first()


def by_id(session: Session, notice_id: str) -> NoticeRow | None:
    """Return a notice by its id."""
    return session.get(NoticeRow, notice_id)


def hold(session: Session, notice_id: str) -> NoticeRow | None:
    """Return a notice that stays ours to change until the transaction ends."""
    query = select(NoticeRow).where(NoticeRow.id == notice_id).with_for_update()
    return session.exec(query).first()


def to_address(session: Session, address: str) -> Sequence[NoticeRow]:
    """Return every notice to an address, whatever its case, oldest first."""
    query = select(NoticeRow).where(sa.func.lower(NoticeRow.address) == address.lower())
    return session.exec(query.order_by(col(NoticeRow.id))).all()


def redact(session: Session, row: NoticeRow) -> None:
    """Take address and salt away; without them the ledger's commitment opens to nobody."""
    row.address, row.salt, row.answer = "redacted", "", None
    session.add(row)
    session.flush()


def next_due(session: Session, now: datetime) -> NoticeRow | None:
    """Return the notice that has been due for longest, leaving out what others are claiming."""
    due = col(NoticeRow.next_attempt_at)
    query = (
        select(NoticeRow)
        .where(due <= now)
        .order_by(due, col(NoticeRow.id))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return session.exec(query).first()


def page(
    session: Session, *, only_failed: bool, before: str | None, limit: int
) -> Sequence[NoticeRow]:
    """Return notices, newest first.

    Args:
        session: open for reading.
        only_failed: leave out what waits or was sent.
        before: id of the last notice of the page before.
        limit: at most so many.
    """
    query = select(NoticeRow).order_by(col(NoticeRow.id).desc()).limit(limit)
    if only_failed:
        query = query.where(col(NoticeRow.failed_at).is_not(None))
    if before is not None:
        query = query.where(col(NoticeRow.id) < before)
    return session.exec(query).all()
