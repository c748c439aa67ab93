"""The tables of custody and every query over them. They decide nothing and open nothing.

A session belongs to its agreements, hence to no single one. The portal writes down what is asked
and answered; the keyholder alone writes what follows from it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, Session, SQLModel, col, select

from escrow.custody.sessions import WITH_SHARES
from escrow.ground.database import UtcDateTime
from escrow.ground.identifiers import AgreementId, DepositId
from escrow.register import records as register
from escrow.vault import records as vault


class SessionRow(SQLModel, table=True):
    """One session: asked for by the portal, opened and ended by the keyholder."""

    __tablename__ = "custody_session"

    id: str = Field(primary_key=True, max_length=40)
    purpose: str = Field(max_length=16)
    asked_by: str = Field(max_length=40)
    asked_at: datetime = Field(sa_type=UtcDateTime)
    nonce: str | None = Field(default=None, max_length=64)
    items_root: str | None = Field(default=None, max_length=64)
    entry_sha256: str | None = Field(default=None, max_length=64)
    recipient: str | None = Field(default=None, max_length=2100)
    key_id: str | None = Field(default=None, max_length=128)
    # Wrapped until the session is over, empty afterwards and in a drill.
    sealed_identity: bytes | None = None
    opened_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ends_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class ItemRow(SQLModel, table=True):
    """One agreement of a session; ``place`` is its number in the Merkle tree."""

    __tablename__ = "custody_item"

    session_id: str = Field(foreign_key="custody_session.id", primary_key=True, max_length=40)
    place: int = Field(primary_key=True)
    agreement_id: str = Field(foreign_key="agreement.id", index=True, max_length=40)
    epoch: int = 0
    k: int = 0
    n: int = 0
    version: int = 0
    text_sha256: str = Field(default="", max_length=64)
    # The entry that says what is about to be done; then what was done.
    intended_sha256: str | None = Field(default=None, max_length=64)
    fresh_epoch: int | None = None
    done_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class AnswerRow(SQLModel, table=True):
    """What one agent sent, verbatim."""

    __tablename__ = "custody_answer"

    session_id: str = Field(foreign_key="custody_session.id", primary_key=True, max_length=40)
    signing_key: str = Field(primary_key=True, max_length=60)
    act_sha256: str = Field(max_length=64, unique=True)
    envelope_json: str = Field(sa_type=sa.Text)
    document: bytes
    given_at: datetime = Field(sa_type=UtcDateTime)


class LivenessRow(SQLModel, table=True):
    """When the holder of a share last proved that he has it, and in which session."""

    __tablename__ = "custody_liveness"

    agreement_id: str = Field(primary_key=True, max_length=40)
    epoch: int = Field(primary_key=True)
    index: int = Field(primary_key=True)
    session_id: str = Field(max_length=40)
    live_at: datetime = Field(sa_type=UtcDateTime)


class ReopeningRow(SQLModel, table=True):
    """A deposit that a session opened for one more verification; its keys for the worker alone."""

    __tablename__ = "custody_reopening"

    deposit_id: str = Field(primary_key=True, max_length=40)
    session_id: str = Field(primary_key=True, max_length=40)
    agreement_id: str = Field(max_length=40)
    product_id: str = Field(max_length=40)
    # Sealed to the pinned worker; emptied when the verification has ended, or too late.
    sealed_keys: bytes | None = None
    entry_sha256: str = Field(max_length=64)
    opened_at: datetime = Field(sa_type=UtcDateTime)
    closes_at: datetime = Field(sa_type=UtcDateTime, index=True)


def add(session: Session, *rows: SQLModel) -> None:
    """Insert or update rows; a key that exists twice is the database's error."""
    session.add_all(rows)
    session.flush()


def session_by_id(session: Session, session_id: str) -> SessionRow | None:
    """Return a session."""
    return session.get(SessionRow, session_id)


def sessions_of(session: Session, agreement_id: AgreementId) -> Sequence[SessionRow]:
    """Return the sessions that an agreement takes part in, newest first."""
    query = (
        select(SessionRow)
        .join(ItemRow, col(ItemRow.session_id) == SessionRow.id)
        .where(col(ItemRow.agreement_id) == agreement_id)
        .order_by(col(SessionRow.asked_at).desc(), col(SessionRow.id).desc())
    )
    return session.exec(query).all()


def open_sessions(session: Session) -> Sequence[SessionRow]:
    """Return every session that has not ended, oldest first."""
    query = (
        select(SessionRow)
        .where(col(SessionRow.ended_at).is_(None))
        .order_by(col(SessionRow.asked_at))
    )
    return session.exec(query).all()


def items_of(session: Session, session_id: str) -> Sequence[ItemRow]:
    """Return the agreements of a session, in their places."""
    query = (
        select(ItemRow).where(col(ItemRow.session_id) == session_id).order_by(col(ItemRow.place))
    )
    return session.exec(query).all()


def shares_in_session(
    session: Session, session_id: str, signing_key: str
) -> Sequence[tuple[int, vault.ShareDealRow]]:
    """Return an agent's shares of a session's agreements, with the agreements' places, in order."""
    query = (
        select(ItemRow.place, vault.ShareDealRow)
        .join(
            vault.ShareDealRow,
            sa.and_(
                col(vault.ShareDealRow.agreement_id) == ItemRow.agreement_id,
                col(vault.ShareDealRow.epoch) == ItemRow.epoch,
            ),
        )
        .where(
            col(ItemRow.session_id) == session_id,
            col(vault.ShareDealRow.signing_key) == signing_key,
        )
        .order_by(col(ItemRow.place), col(vault.ShareDealRow.index))
    )
    return session.exec(query).all()


def item(session: Session, session_id: str, place: int) -> ItemRow | None:
    """Return one agreement of a session."""
    return session.get(ItemRow, (session_id, place))


def is_under_way(session: Session, session_id: str) -> bool:
    """Tell whether something of a session is intended and not done."""
    rows = items_of(session, session_id)
    return any(one.intended_sha256 is not None and one.done_at is None for one in rows)


def answers_of(session: Session, session_id: str) -> Sequence[AnswerRow]:
    """Return what the agents answered, oldest first."""
    query = (
        select(AnswerRow)
        .where(col(AnswerRow.session_id) == session_id)
        .order_by(col(AnswerRow.given_at), col(AnswerRow.signing_key))
    )
    return session.exec(query).all()


def liveness_of(session: Session, agreement_id: AgreementId, epoch: int) -> Sequence[LivenessRow]:
    """Return who proved that he holds his share of an epoch."""
    query = select(LivenessRow).where(
        col(LivenessRow.agreement_id) == agreement_id, col(LivenessRow.epoch) == epoch
    )
    return session.exec(query).all()


def keep_liveness(session: Session, row: LivenessRow) -> None:
    """Note that a share's holder was there; the newest proof stands."""
    session.merge(row)
    session.flush()


def reopening_of(session: Session, deposit_id: DepositId) -> ReopeningRow | None:
    """Return the reopening of a deposit whose keys are still there, the newest."""
    query = (
        select(ReopeningRow)
        .where(
            col(ReopeningRow.deposit_id) == deposit_id, col(ReopeningRow.sealed_keys).is_not(None)
        )
        .order_by(col(ReopeningRow.opened_at).desc())
    )
    return session.exec(query).first()


def reopenings_of(session: Session, deposit_id: DepositId) -> Sequence[ReopeningRow]:
    """Return every reopening of a deposit, oldest first."""
    query = (
        select(ReopeningRow)
        .where(col(ReopeningRow.deposit_id) == deposit_id)
        .order_by(col(ReopeningRow.opened_at), col(ReopeningRow.session_id))
    )
    return session.exec(query).all()


def reopenings_in(session: Session, session_id: str) -> Sequence[ReopeningRow]:
    """Return what a session opened."""
    query = select(ReopeningRow).where(col(ReopeningRow.session_id) == session_id)
    return session.exec(query).all()


def reopenings_overdue(session: Session, now: datetime) -> Sequence[ReopeningRow]:
    """Return the reopenings whose time is over and whose keys are still there."""
    query = select(ReopeningRow).where(
        col(ReopeningRow.sealed_keys).is_not(None), col(ReopeningRow.closes_at) <= now
    )
    return session.exec(query).all()


def close_reopenings(session: Session, rows: Sequence[ReopeningRow]) -> None:
    """Empty the keys of reopenings."""
    for row in rows:
        row.sealed_keys = None
    add(session, *rows)


def panel_of(session: Session, agreement_id: AgreementId) -> list[str]:
    """Return the agreements whose counting key is dealt to exactly the same agents, itself too.

    None where no key of the agreement counts yet.
    """
    counting = vault.counting_epoch(session, agreement_id)
    if counting is None:
        return []
    keys = {one.signing_key for one in vault.shares_of(session, agreement_id, counting.epoch)}
    newest = (
        select(
            col(vault.SealingEpochRow.agreement_id).label("agreement_id"),
            sa.func.max(vault.SealingEpochRow.epoch).label("epoch"),
        )
        .where(col(vault.SealingEpochRow.canary_opened_at).is_not(None))
        .group_by(col(vault.SealingEpochRow.agreement_id))
        .subquery()
    )
    deals = select(vault.ShareDealRow.agreement_id, vault.ShareDealRow.signing_key).join(
        newest,
        sa.and_(
            newest.c.agreement_id == vault.ShareDealRow.agreement_id,
            newest.c.epoch == vault.ShareDealRow.epoch,
        ),
    )
    held: dict[str, set[str]] = defaultdict(set)
    for owner, key in session.exec(deals):
        held[owner].add(key)
    return sorted(owner for owner, holders in held.items() if holders == keys)


def agreements_to_renew(session: Session, dealt_before: datetime) -> list[AgreementId]:
    """Return the agreements whose newest key was dealt before a moment, oldest key first.

    Only those that are in force, whose key counts, and whose agents are not asked for their shares
    already.
    """
    epoch = vault.SealingEpochRow
    newest = (
        select(
            col(epoch.agreement_id).label("agreement_id"), sa.func.max(epoch.epoch).label("epoch")
        )
        .group_by(col(epoch.agreement_id))
        .subquery()
    )
    asked = (
        select(ItemRow.agreement_id)
        .join(SessionRow, col(ItemRow.session_id) == SessionRow.id)
        .where(col(SessionRow.ended_at).is_(None), col(SessionRow.purpose).in_(WITH_SHARES))
    )
    query = (
        select(epoch.agreement_id)
        .join(
            newest,
            sa.and_(
                newest.c.agreement_id == epoch.agreement_id, newest.c.epoch == col(epoch.epoch)
            ),
        )
        .where(
            col(epoch.canary_opened_at).is_not(None),
            col(epoch.dealt_at) <= dealt_before,
            col(epoch.agreement_id).in_(register.governing_agreements()),
            col(epoch.agreement_id).not_in(asked),
        )
        .order_by(col(epoch.dealt_at), col(epoch.agreement_id))
    )
    return [AgreementId(one) for one in session.exec(query)]


def open_renewal(session: Session, agreement_id: AgreementId) -> SessionRow | None:
    """Return the open session for which the agents of an agreement are to give their shares."""
    query = (
        select(SessionRow)
        .join(ItemRow, col(ItemRow.session_id) == SessionRow.id)
        .where(
            col(ItemRow.agreement_id) == agreement_id,
            col(SessionRow.ended_at).is_(None),
            col(SessionRow.purpose).in_(WITH_SHARES),
        )
        .order_by(col(SessionRow.asked_at))
    )
    return session.exec(query).first()


def agreements_dealt(session: Session) -> list[AgreementId]:
    """Return every agreement of which a key counts."""
    query = (
        select(vault.SealingEpochRow.agreement_id)
        .where(col(vault.SealingEpochRow.canary_opened_at).is_not(None))
        .distinct()
        .order_by(col(vault.SealingEpochRow.agreement_id))
    )
    return [AgreementId(one) for one in session.exec(query)]
