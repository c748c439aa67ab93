"""The vault's tables and every query over them. They decide nothing and open nothing.

Every table carries the product's id, and the agreement's where a row belongs to one. A sealing
epoch and its shares belong to an agreement with all of its products, hence to no single product.
Everything secret in a row is wrapped by the key manager or sealed by age.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, Session, SQLModel, col, select

from escrow.ground.database import UtcDateTime
from escrow.ground.identifiers import (
    AgreementId,
    DepositId,
    DocumentId,
    PartId,
    ProductId,
    RequestId,
)


class LaneRow(SQLModel, table=True):
    """A deposit's lane: its secret wrapped until it is closed, empty afterwards."""

    __tablename__ = "lane"

    deposit_id: str = Field(primary_key=True, max_length=40)
    product_id: str = Field(index=True, max_length=40)
    recipient: str = Field(max_length=80)
    signature: bytes
    key_id: str = Field(max_length=128)
    sealed_identity: bytes | None = None
    # The keyholder's entry that commits to the file keys, once the lasting headers are written.
    headers_entry_sha256: str | None = Field(default=None, max_length=64)
    opened_at: datetime = Field(sa_type=UtcDateTime)
    closes_at: datetime = Field(sa_type=UtcDateTime, index=True)
    closed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class HeaderRecordRow(SQLModel, table=True):
    """A header under Lock B; ``lock``, ``epoch`` and the ids are what its AAD binds."""

    __tablename__ = "header_record"

    agreement_id: str = Field(primary_key=True, max_length=40)
    product_id: str = Field(primary_key=True, max_length=40)
    deposit_id: str = Field(primary_key=True, max_length=40, index=True)
    part_id: str = Field(primary_key=True, max_length=40)
    lock: str = Field(primary_key=True, max_length=8)
    epoch: int = Field(primary_key=True)
    payload_sha256: str = Field(max_length=64)
    key_id: str = Field(max_length=128)
    record: bytes
    # Opens the commitment that the ledger holds; kept here so that the key can be proved later.
    commitment_salt: str = Field(max_length=64)
    commitment: str = Field(max_length=64)
    created_at: datetime = Field(sa_type=UtcDateTime)


class SealingEpochRow(SQLModel, table=True):
    """One sealing key of an agreement, from its ceremony until a newer one follows."""

    __tablename__ = "sealing_epoch"

    agreement_id: str = Field(primary_key=True, max_length=40)
    epoch: int = Field(primary_key=True)
    # Whose keys were dealt to; a new version of the agreement needs no new epoch by itself.
    agreement_version: int
    k: int
    n: int
    recipient: str = Field(max_length=2100)
    canary_recipient: str = Field(max_length=2100)
    canary_file: bytes
    canary_sha256: str = Field(max_length=64)
    dealt_at: datetime = Field(sa_type=UtcDateTime)
    # Only then does the key set-up count.
    canary_opened_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    # The secret was combined for a release: the epoch seals nothing once a newer one counts.
    burnt_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class ShareDealRow(SQLModel, table=True):
    """One agent's sealed share file of one epoch."""

    __tablename__ = "share_deal"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["agreement_id", "epoch"],
            ["sealing_epoch.agreement_id", "sealing_epoch.epoch"],
            name="fk_share_deal_sealing_epoch",
        ),
    )

    agreement_id: str = Field(primary_key=True, max_length=40)
    epoch: int = Field(primary_key=True)
    index: int = Field(primary_key=True)
    share_recipient: str = Field(max_length=2100)
    # The agent's signing key: tells whose share this is without a name.
    signing_key: str = Field(max_length=60)
    liveness_key: str = Field(max_length=60)
    share_file: bytes
    last_live_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class CanaryShareRow(SQLModel, table=True):
    """The canary half of a share on its way from one agent to the one who opens the canary."""

    __tablename__ = "canary_share"

    agreement_id: str = Field(primary_key=True, max_length=40)
    epoch: int = Field(primary_key=True)
    from_index: int = Field(primary_key=True)
    recipient: str = Field(max_length=2100)
    file: bytes
    sent_at: datetime = Field(sa_type=UtcDateTime)


class ReleaseRoundRow(SQLModel, table=True):
    """One confirmation round of a release request: its one-time key and what it offers."""

    __tablename__ = "release_round"

    request_id: str = Field(primary_key=True, max_length=40)
    round: int = Field(primary_key=True)
    agreement_id: str = Field(index=True, max_length=40)
    epoch: int
    recipient: str = Field(max_length=2100)
    key_id: str = Field(max_length=128)
    # Wrapped until the round is over, empty afterwards.
    sealed_identity: bytes | None = None
    offer: bytes
    offer_sha256: str = Field(max_length=64)
    entry_sha256: str = Field(max_length=64)
    opened_at: datetime = Field(sa_type=UtcDateTime)


class ReleaseShareRow(SQLModel, table=True):
    """An agent's share on its way to the keyholder, sealed to the round's one-time key."""

    __tablename__ = "release_share"

    request_id: str = Field(primary_key=True, max_length=40)
    round: int = Field(primary_key=True)
    signing_key: str = Field(primary_key=True, max_length=60)
    epoch: int = Field(primary_key=True)
    # Sent again it is another file: the one that was signed for stays.
    file_sha256: str = Field(primary_key=True, max_length=64)
    index: int
    file: bytes
    sent_at: datetime = Field(sa_type=UtcDateTime)


class ReleasedHeaderRow(SQLModel, table=True):
    """A header to the recipient of a release; together with the payload it is an age file."""

    __tablename__ = "released_header"

    request_id: str = Field(primary_key=True, max_length=40)
    # A part, or a derived document.
    thing_id: str = Field(primary_key=True, max_length=40)
    deposit_id: str = Field(index=True, max_length=40)
    payload_sha256: str = Field(max_length=64)
    header: bytes


class DocumentsKeyRow(SQLModel, table=True):
    """The key that a product's derived documents are sealed to, its secret wrapped."""

    __tablename__ = "documents_key"

    product_id: str = Field(primary_key=True, max_length=40)
    epoch: int = Field(primary_key=True)
    recipient: str = Field(max_length=2100)
    key_id: str = Field(max_length=128)
    sealed_identity: bytes
    created_at: datetime = Field(sa_type=UtcDateTime)


class DocumentRow(SQLModel, table=True):
    """A derived document (manifest, log, findings, report), sealed like a part."""

    __tablename__ = "document"

    id: str = Field(primary_key=True, max_length=40)
    product_id: str = Field(index=True, max_length=40)
    deposit_id: str = Field(index=True, max_length=40)
    kind: str = Field(max_length=32)
    # The disclosure class that may read it: vendor, agent, beneficiary or auditor.
    disclosure_class: str = Field(max_length=16)
    media_type: str = Field(max_length=80)
    header: bytes
    documents_epoch: int
    encoding: str = Field(max_length=16)
    sha256: str = Field(max_length=64)
    size_bytes: int = Field(sa_type=sa.BigInteger)
    payload_sha256: str = Field(max_length=64)
    payload_size_bytes: int = Field(sa_type=sa.BigInteger)
    created_at: datetime = Field(sa_type=UtcDateTime)


def add(session: Session, *rows: SQLModel) -> None:
    """Insert rows; a key that exists is the database's error."""
    session.add_all(rows)
    session.flush()


# --- lanes ------------------------------------------------------------------------------------


def lane_of(session: Session, deposit_id: DepositId) -> LaneRow | None:
    """Return the lane of a deposit, open or closed."""
    return session.get(LaneRow, deposit_id)


def lanes_overdue(session: Session, now: datetime) -> Sequence[LaneRow]:
    """Return the open lanes whose time is over, oldest first."""
    query = (
        select(LaneRow)
        .where(col(LaneRow.closed_at).is_(None), col(LaneRow.closes_at) <= now)
        .order_by(col(LaneRow.closes_at))
    )
    return session.exec(query).all()


def note_headers_entry(
    session: Session, lane: LaneRow, entry_sha256: str, closes_at: datetime
) -> None:
    """Note under which entry the lane's file keys were committed to, and how long it now lives."""
    lane.headers_entry_sha256, lane.closes_at = entry_sha256, closes_at
    session.add(lane)
    session.flush()


def mark_lane_closed(session: Session, lane: LaneRow, now: datetime) -> None:
    """Empty the lane's secret and note when."""
    lane.sealed_identity = None
    lane.closed_at = now
    session.add(lane)
    session.flush()


# --- header records ---------------------------------------------------------------------------


def header_records_of(session: Session, deposit_id: DepositId) -> Sequence[HeaderRecordRow]:
    """Return every header record of a deposit, for every agreement, lock and epoch."""
    query = (
        select(HeaderRecordRow)
        .where(col(HeaderRecordRow.deposit_id) == deposit_id)
        .order_by(
            col(HeaderRecordRow.agreement_id),
            col(HeaderRecordRow.part_id),
            col(HeaderRecordRow.lock),
            col(HeaderRecordRow.epoch),
        )
    )
    return session.exec(query).all()


def header_record(
    session: Session, agreement_id: AgreementId, deposit_id: DepositId, part_id: PartId, lock: str
) -> HeaderRecordRow | None:
    """Return the newest epoch's header record of one part, None when there is none."""
    query = (
        select(HeaderRecordRow)
        .where(
            col(HeaderRecordRow.agreement_id) == agreement_id,
            col(HeaderRecordRow.deposit_id) == deposit_id,
            col(HeaderRecordRow.part_id) == part_id,
            col(HeaderRecordRow.lock) == lock,
        )
        .order_by(col(HeaderRecordRow.epoch).desc())
    )
    return session.exec(query).first()


# --- sealing epochs and shares ----------------------------------------------------------------


def newest_epoch(session: Session, agreement_id: AgreementId) -> SealingEpochRow | None:
    """Return the agreement's newest sealing epoch, opened canary or not."""
    query = (
        select(SealingEpochRow)
        .where(col(SealingEpochRow.agreement_id) == agreement_id)
        .order_by(col(SealingEpochRow.epoch).desc())
    )
    return session.exec(query).first()


def counting_epoch(session: Session, agreement_id: AgreementId) -> SealingEpochRow | None:
    """Return the agreement's newest sealing epoch whose canary was opened."""
    query = (
        select(SealingEpochRow)
        .where(
            col(SealingEpochRow.agreement_id) == agreement_id,
            col(SealingEpochRow.canary_opened_at).is_not(None),
        )
        .order_by(col(SealingEpochRow.epoch).desc())
    )
    return session.exec(query).first()


def epoch_of(session: Session, agreement_id: AgreementId, epoch: int) -> SealingEpochRow | None:
    """Return one sealing epoch."""
    return session.get(SealingEpochRow, (agreement_id, epoch))


def mark_burnt(session: Session, epoch: SealingEpochRow, now: datetime) -> None:
    """Note that the secret of an epoch was combined."""
    epoch.burnt_at = epoch.burnt_at or now
    session.add(epoch)
    session.flush()


def shares_of(session: Session, agreement_id: AgreementId, epoch: int) -> Sequence[ShareDealRow]:
    """Return the sealed share files of an epoch by their index."""
    query = (
        select(ShareDealRow)
        .where(
            col(ShareDealRow.agreement_id) == agreement_id,
            col(ShareDealRow.epoch) == epoch,
        )
        .order_by(col(ShareDealRow.index))
    )
    return session.exec(query).all()


def canary_shares_for(
    session: Session, agreement_id: AgreementId, epoch: int, recipient: str
) -> Sequence[CanaryShareRow]:
    """Return the canary shares that were sent to one agent."""
    query = (
        select(CanaryShareRow)
        .where(
            col(CanaryShareRow.agreement_id) == agreement_id,
            col(CanaryShareRow.epoch) == epoch,
            col(CanaryShareRow.recipient) == recipient,
        )
        .order_by(col(CanaryShareRow.from_index))
    )
    return session.exec(query).all()


def keep_canary_share(session: Session, share: CanaryShareRow) -> None:
    """Keep a sent canary share; sending again replaces it."""
    session.merge(share)
    session.flush()


def mark_canary_opened(session: Session, epoch: SealingEpochRow, now: datetime) -> None:
    """Note that the agents' clients opened the canary of an epoch."""
    epoch.canary_opened_at = now
    session.add(epoch)
    session.flush()


# --- releases ---------------------------------------------------------------------------------


def headers_of_agreement(session: Session, agreement_id: AgreementId) -> Sequence[HeaderRecordRow]:
    """Return every header record under an agreement, by deposit, part, lock and epoch."""
    query = (
        select(HeaderRecordRow)
        .where(col(HeaderRecordRow.agreement_id) == agreement_id)
        .order_by(
            col(HeaderRecordRow.deposit_id),
            col(HeaderRecordRow.part_id),
            col(HeaderRecordRow.lock),
            col(HeaderRecordRow.epoch),
        )
    )
    return session.exec(query).all()


def newest_round(session: Session, request_id: RequestId) -> ReleaseRoundRow | None:
    """Return the confirmation round of a request that was opened last."""
    query = (
        select(ReleaseRoundRow)
        .where(col(ReleaseRoundRow.request_id) == request_id)
        .order_by(col(ReleaseRoundRow.round).desc())
    )
    return session.exec(query).first()


def rounds_of(session: Session, request_id: RequestId) -> Sequence[ReleaseRoundRow]:
    """Return every confirmation round of a request, oldest first."""
    query = (
        select(ReleaseRoundRow)
        .where(col(ReleaseRoundRow.request_id) == request_id)
        .order_by(col(ReleaseRoundRow.round))
    )
    return session.exec(query).all()


def end_round(session: Session, row: ReleaseRoundRow) -> None:
    """Empty the secret of a round's one-time key."""
    row.sealed_identity = None
    session.add(row)
    session.flush()


def release_shares_of(
    session: Session, request_id: RequestId, round_: int
) -> Sequence[ReleaseShareRow]:
    """Return the shares that were sent in a round."""
    query = (
        select(ReleaseShareRow)
        .where(
            col(ReleaseShareRow.request_id) == request_id,
            col(ReleaseShareRow.round) == round_,
        )
        .order_by(col(ReleaseShareRow.signing_key), col(ReleaseShareRow.epoch))
    )
    return session.exec(query).all()


def keep_release_share(session: Session, share: ReleaseShareRow) -> None:
    """Keep a sent share; the same file again is the same row."""
    session.merge(share)
    session.flush()


def released_headers_of(session: Session, request_id: RequestId) -> Sequence[ReleasedHeaderRow]:
    """Return the headers that a release wrote."""
    query = (
        select(ReleasedHeaderRow)
        .where(col(ReleasedHeaderRow.request_id) == request_id)
        .order_by(col(ReleasedHeaderRow.thing_id))
    )
    return session.exec(query).all()


def released_header(
    session: Session, request_id: RequestId, thing_id: str
) -> ReleasedHeaderRow | None:
    """Return the header of one thing that a release handed over."""
    return session.get(ReleasedHeaderRow, (request_id, thing_id))


# --- documents --------------------------------------------------------------------------------


def documents_key(session: Session, product_id: ProductId) -> DocumentsKeyRow | None:
    """Return the newest documents key of a product."""
    query = (
        select(DocumentsKeyRow)
        .where(col(DocumentsKeyRow.product_id) == product_id)
        .order_by(col(DocumentsKeyRow.epoch).desc())
    )
    return session.exec(query).first()


def documents_key_of_epoch(
    session: Session, product_id: ProductId, epoch: int
) -> DocumentsKeyRow | None:
    """Return one documents key of a product."""
    return session.get(DocumentsKeyRow, (product_id, epoch))


def document_by_id(session: Session, document_id: DocumentId) -> DocumentRow | None:
    """Return a document's row."""
    return session.get(DocumentRow, document_id)


def documents_of(session: Session, deposit_id: DepositId) -> Sequence[DocumentRow]:
    """Return the documents of a deposit, oldest first."""
    query = (
        select(DocumentRow)
        .where(col(DocumentRow.deposit_id) == deposit_id)
        .order_by(col(DocumentRow.created_at), col(DocumentRow.id))
    )
    return session.exec(query).all()
