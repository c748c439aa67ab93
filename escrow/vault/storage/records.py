"""What is known of each copy of each sealed thing, and the runs of the scrub; the queries over it.

The rows are notes of the worker's, not a source: what must be stored is told by the rooms' own
tables (:class:`escrow.vault.storage.inventory.Inventory`), and what is stored by the stores.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Field, Session, SQLModel, col, select

from escrow.ground.database import UtcDateTime
from escrow.vault.records import HeaderRecordRow

PRIMARY, REPLICA = "primary", "replica"
HELD, MISSING, CORRUPTED = "held", "missing", "corrupted"


class BlobCopyRow(SQLModel, table=True):
    """One copy of one payload, and how it was when it was last read."""

    __tablename__ = "blob_copy"

    sha256: str = Field(primary_key=True, max_length=64)
    place: str = Field(primary_key=True, max_length=16)
    size_bytes: int = Field(sa_type=sa.BigInteger)
    state: str = Field(default=HELD, max_length=16)
    noted_at: datetime = Field(sa_type=UtcDateTime)
    read_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)


class HeaderCopyRow(SQLModel, table=True):
    """The digest of one header record, and when it was last exported to the replica's shelf."""

    __tablename__ = "header_copy"

    agreement_id: str = Field(primary_key=True, max_length=40)
    product_id: str = Field(primary_key=True, max_length=40)
    deposit_id: str = Field(primary_key=True, max_length=40)
    part_id: str = Field(primary_key=True, max_length=40)
    lock: str = Field(primary_key=True, max_length=8)
    epoch: int = Field(primary_key=True)
    sha256: str = Field(max_length=64)
    state: str = Field(default=HELD, max_length=16)
    noted_at: datetime = Field(sa_type=UtcDateTime)
    # The replica's record, where the row was lost: for the keyholder to prove and write again.
    offered: str | None = Field(default=None, sa_type=sa.Text)
    exported_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    read_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)


class ScrubRunRow(SQLModel, table=True):
    """One run of the scrub: what it counted so far; without an end it goes on."""

    __tablename__ = "scrub_run"

    id: str = Field(primary_key=True, max_length=40)
    # Everything, or a day's slice.
    kind: str = Field(max_length=16)
    started_at: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
    payloads: int = 0
    bytes: int = Field(default=0, sa_type=sa.BigInteger)
    header_records: int = 0
    missing: int = 0
    corrupted: int = 0
    repaired: int = 0
    unrepairable: int = 0


PartKey = tuple[str, str, str]
"""Agreement, deposit and part: one exported file of header records."""


def add(session: Session, rows: Iterable[SQLModel]) -> None:
    """Insert rows."""
    session.add_all(list(rows))
    session.flush()


def remove(session: Session, row: SQLModel) -> None:
    """Delete a row."""
    session.delete(row)
    session.flush()


# --- payloads ---------------------------------------------------------------------------------


def copy_of(session: Session, sha256: str, place: str) -> BlobCopyRow | None:
    """Return what is known of one copy."""
    return session.get(BlobCopyRow, (sha256, place))


def first_note(sha256: str, size_bytes: int, now: datetime) -> BlobCopyRow:
    """Return a note of a payload that a room names and nobody has read yet."""
    return BlobCopyRow(sha256=sha256, place=PRIMARY, size_bytes=size_bytes, noted_at=now)


@dataclass(frozen=True)
class ReadCopy:
    """How one copy was when it was read."""

    sha256: str
    place: str
    size_bytes: int
    state: str


def note_copies(session: Session, read: Sequence[ReadCopy], now: datetime) -> None:
    """Note that these copies were read just now, and how they were."""
    known = {
        (row.sha256, row.place): row
        for row in session.exec(
            select(BlobCopyRow).where(col(BlobCopyRow.sha256).in_({one.sha256 for one in read}))
        )
    }
    for one in read:
        row = known.get((one.sha256, one.place)) or BlobCopyRow(
            sha256=one.sha256, place=one.place, size_bytes=one.size_bytes, noted_at=now
        )
        row.state, row.read_at = one.state, now
        session.add(row)
    session.flush()


def copied(session: Session, names: Sequence[str]) -> set[str]:
    """Return those of some payloads that have a second copy."""
    query = select(BlobCopyRow.sha256).where(
        col(BlobCopyRow.sha256).in_(names), col(BlobCopyRow.place) == REPLICA
    )
    return set(session.exec(query).all())


def forget_payload(session: Session, sha256: str) -> None:
    """Forget every copy of a payload that nothing names any more."""
    for place in (PRIMARY, REPLICA):
        if row := copy_of(session, sha256, place):
            session.delete(row)
    session.flush()


def lacking_replica(session: Session, limit: int) -> Sequence[BlobCopyRow]:
    """Return copies in the primary that have none in the replica, longest waiting first."""
    other = aliased(BlobCopyRow)
    query = (
        select(BlobCopyRow)
        .outerjoin(other, (col(other.sha256) == BlobCopyRow.sha256) & (other.place == REPLICA))
        .where(
            col(BlobCopyRow.place) == PRIMARY,
            col(BlobCopyRow.state) == HELD,
            col(other.sha256).is_(None),
        )
        .order_by(col(BlobCopyRow.noted_at), col(BlobCopyRow.sha256))
        .limit(limit)
    )
    return session.exec(query).all()


def unread_since(session: Session, moment: datetime, limit: int) -> Sequence[BlobCopyRow]:
    """Return the primary's copies that were not read since a moment, longest unread first."""
    query = (
        select(BlobCopyRow)
        .where(
            col(BlobCopyRow.place) == PRIMARY,
            sa.or_(col(BlobCopyRow.read_at).is_(None), col(BlobCopyRow.read_at) < moment),
        )
        .order_by(col(BlobCopyRow.read_at).nulls_first(), col(BlobCopyRow.sha256))
        .limit(limit)
    )
    return session.exec(query).all()


def totals(session: Session) -> tuple[int, int]:
    """Return how many payloads are known and their bytes."""
    query = select(sa.func.count(), sa.func.sum(BlobCopyRow.size_bytes)).where(
        col(BlobCopyRow.place) == PRIMARY
    )
    count, size = session.exec(query).one()
    return int(count), int(size or 0)


def lacking_count(session: Session) -> tuple[int, datetime | None]:
    """Return how many payloads have no second copy, and since when the oldest of them has not."""
    oldest, other = lacking_replica(session, 1), aliased(BlobCopyRow)
    query = (
        select(sa.func.count())
        .select_from(BlobCopyRow)
        .where(
            col(BlobCopyRow.place) == PRIMARY,
            ~sa.exists().where(
                col(other.sha256) == BlobCopyRow.sha256, col(other.place) == REPLICA
            ),
        )
    )
    return int(session.exec(query).one()), oldest[0].noted_at if oldest else None


def damaged(session: Session) -> Sequence[BlobCopyRow]:
    """Return the copies that were not good when last read, and are not mended."""
    query = (
        select(BlobCopyRow)
        .where(col(BlobCopyRow.state) != HELD)
        .order_by(col(BlobCopyRow.sha256), col(BlobCopyRow.place))
    )
    return session.exec(query).all()


def lost_payloads(session: Session) -> list[str]:
    """Return the payloads of which no copy was good when it was last read."""
    good = aliased(BlobCopyRow)
    query = (
        select(BlobCopyRow.sha256)
        .where(
            col(BlobCopyRow.state) != HELD,
            ~sa.exists().where(col(good.sha256) == BlobCopyRow.sha256, col(good.state) == HELD),
        )
        .distinct()
        .order_by(BlobCopyRow.sha256)
    )
    return list(session.exec(query))


class Copies(StrEnum):
    """How something is stored, as it was last seen."""

    TWO = "two-copies"
    ONE = "one-copy"
    DAMAGED = "damaged"


def copies_of(session: Session, payloads: Collection[str]) -> Copies:
    """Return how payloads are stored, the worst of them: what has no good copy is damaged.

    One that nobody has noted yet has one copy: it was made before it was acknowledged.
    """
    query = select(BlobCopyRow).where(col(BlobCopyRow.sha256).in_(payloads))
    rows = session.exec(query).all()
    good = Counter(row.sha256 for row in rows if row.state == HELD)
    if any(not good[row.sha256] for row in rows):
        return Copies.DAMAGED
    return Copies.TWO if payloads and min(good[one] for one in payloads) > 1 else Copies.ONE


# --- header records ---------------------------------------------------------------------------


def header_rows(session: Session, key: PartKey) -> Sequence[HeaderRecordRow]:
    """Return the header records of one part under one agreement, by lock and epoch."""
    query = (
        select(HeaderRecordRow)
        .where(
            col(HeaderRecordRow.agreement_id) == key[0],
            col(HeaderRecordRow.deposit_id) == key[1],
            col(HeaderRecordRow.part_id) == key[2],
        )
        .order_by(col(HeaderRecordRow.lock), col(HeaderRecordRow.epoch))
    )
    return session.exec(query).all()


def header_copies(session: Session, key: PartKey) -> Sequence[HeaderCopyRow]:
    """Return what is known of those records."""
    query = select(HeaderCopyRow).where(
        col(HeaderCopyRow.agreement_id) == key[0],
        col(HeaderCopyRow.deposit_id) == key[1],
        col(HeaderCopyRow.part_id) == key[2],
    )
    return session.exec(query).all()


def headers_to_export(session: Session, limit: int, *, shelf: bool) -> Sequence[PartKey]:
    """Return parts of which a header record was not noted yet, or not exported.

    Args:
        session: reads.
        limit: of parts.
        shelf: there is one to export to; else noting is all.
    """
    same = sa.and_(
        *(
            col(getattr(HeaderCopyRow, name)) == getattr(HeaderRecordRow, name)
            for name in ("agreement_id", "product_id", "deposit_id", "part_id", "lock", "epoch")
        )
    )
    lacking = col(HeaderCopyRow.agreement_id).is_(None)
    query = (
        select(HeaderRecordRow.agreement_id, HeaderRecordRow.deposit_id, HeaderRecordRow.part_id)
        .outerjoin(HeaderCopyRow, same)
        .where(sa.or_(lacking, col(HeaderCopyRow.exported_at).is_(None)) if shelf else lacking)
        .distinct()
        .order_by(
            col(HeaderRecordRow.agreement_id),
            col(HeaderRecordRow.deposit_id),
            col(HeaderRecordRow.part_id),
        )
        .limit(limit)
    )
    return session.exec(query).all()


def headers_gone(session: Session, limit: int) -> Sequence[PartKey]:
    """Return parts of which a noted header record has no row any more."""
    same = sa.and_(
        *(
            col(getattr(HeaderCopyRow, name)) == getattr(HeaderRecordRow, name)
            for name in ("agreement_id", "product_id", "deposit_id", "part_id", "lock", "epoch")
        )
    )
    query = (
        select(HeaderCopyRow.agreement_id, HeaderCopyRow.deposit_id, HeaderCopyRow.part_id)
        .outerjoin(HeaderRecordRow, same)
        .where(col(HeaderRecordRow.agreement_id).is_(None))
        .distinct()
        .limit(limit)
    )
    return session.exec(query).all()


def headers_unread_since(session: Session, moment: datetime, limit: int) -> Sequence[PartKey]:
    """Return parts whose header records were not read since a moment."""
    query = (
        select(HeaderCopyRow.agreement_id, HeaderCopyRow.deposit_id, HeaderCopyRow.part_id)
        .where(sa.or_(col(HeaderCopyRow.read_at).is_(None), col(HeaderCopyRow.read_at) < moment))
        .distinct()
        .order_by(
            col(HeaderCopyRow.agreement_id),
            col(HeaderCopyRow.deposit_id),
            col(HeaderCopyRow.part_id),
        )
        .limit(limit)
    )
    return session.exec(query).all()


def damaged_headers(session: Session) -> Sequence[HeaderCopyRow]:
    """Return the header records that were not good when last read, and are not mended."""
    return session.exec(select(HeaderCopyRow).where(col(HeaderCopyRow.state) != HELD)).all()


def forget_headers(session: Session, key: PartKey) -> None:
    """Forget the notes on a part's header records: they were destroyed, as was due."""
    for row in header_copies(session, key):
        session.delete(row)
    session.flush()


# --- runs -------------------------------------------------------------------------------------


def open_run(session: Session, kind: str) -> ScrubRunRow | None:
    """Return the run of a kind that has not ended."""
    query = (
        select(ScrubRunRow)
        .where(col(ScrubRunRow.kind) == kind, col(ScrubRunRow.ended_at).is_(None))
        .order_by(col(ScrubRunRow.started_at))
    )
    return session.exec(query).first()


def last_run(session: Session, kind: str) -> ScrubRunRow | None:
    """Return the run of a kind that began last."""
    query = (
        select(ScrubRunRow)
        .where(col(ScrubRunRow.kind) == kind)
        .order_by(col(ScrubRunRow.started_at).desc())
    )
    return session.exec(query).first()


def run_of(session: Session, run_id: str) -> ScrubRunRow:
    """Return a run that exists."""
    return session.exec(select(ScrubRunRow).where(col(ScrubRunRow.id) == run_id)).one()
