"""The parties' tables and every query over them. They decide nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast

import sqlalchemy as sa
from sqlalchemy.sql.dml import UpdateBase
from sqlmodel import Field, Session, SQLModel, col, select

from escrow.ground.database import UtcDateTime
from escrow.ground.digests import Sha256Hex
from escrow.ground.identifiers import MemberId, OrganisationId, TokenId


class Organisation(SQLModel, table=True):
    """A vendor, beneficiary, escrow firm or auditor; what it is stands in agreements."""

    __tablename__ = "organisation"

    id: str = Field(primary_key=True, max_length=40)
    slug: str = Field(unique=True, max_length=64)
    name: str = Field(max_length=200)
    created_at: datetime = Field(sa_type=UtcDateTime)


# What stands in a row whose person was erased; no address, since it has no host.
REDACTED = "redacted"


class Member(SQLModel, table=True):
    """A natural person of an organisation, with the capacities in which he may speak."""

    __tablename__ = "member"
    __table_args__ = (
        sa.UniqueConstraint("organisation_id", "email", name="uq_member_organisation_email"),
    )

    id: str = Field(primary_key=True, max_length=40)
    organisation_id: str = Field(foreign_key="organisation.id", index=True, max_length=40)
    name: str = Field(max_length=200)
    email: str = Field(max_length=254)
    roles: list[str] = Field(sa_type=sa.JSON)
    created_at: datetime = Field(sa_type=UtcDateTime)
    removed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class MemberKey(SQLModel, table=True):
    """A public key of a member: his Ed25519 signing key, or the age recipient of his shares."""

    __tablename__ = "member_key"

    id: str = Field(primary_key=True, max_length=40)
    member_id: str = Field(foreign_key="member.id", index=True, max_length=40)
    kind: str = Field(max_length=16)
    # A post-quantum age recipient is about 2,000 characters long.
    public_key: str = Field(sa_type=sa.Text)
    public_key_sha256: str = Field(unique=True, max_length=64)
    registered_at: datetime = Field(sa_type=UtcDateTime)


class Token(SQLModel, table=True):
    """A credential: who speaks by it, how far it reaches, how long. The secret is not here."""

    __tablename__ = "token"

    id: str = Field(primary_key=True, max_length=40)
    # None only for the one-time token of the setup, when nobody is there yet.
    organisation_id: str | None = Field(
        default=None, foreign_key="organisation.id", index=True, max_length=40
    )
    member_id: str | None = Field(default=None, foreign_key="member.id", index=True, max_length=40)
    label: str = Field(default="", max_length=100)
    secret_sha256: str = Field(max_length=64)
    role: str = Field(max_length=16)
    verbs: list[str] = Field(sa_type=sa.JSON)
    product_ids: list[str] | None = Field(default=None, sa_type=sa.JSON)
    agreement_ids: list[str] | None = Field(default=None, sa_type=sa.JSON)
    issued_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    last_used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    one_time: bool = False


class RememberedAnswer(SQLModel, table=True):
    """What an unsafe call answered, so that its repetition answers the same and does nothing."""

    __tablename__ = "idempotency_key"
    __table_args__ = (
        sa.UniqueConstraint("principal", "route", "key", name="uq_idempotency_key_scope"),
    )

    id: str = Field(primary_key=True, max_length=40)
    principal: str = Field(max_length=40)
    route: str = Field(max_length=200)
    key: str = Field(max_length=255)
    body_sha256: str = Field(max_length=64)
    status: int
    # None when the answer held a secret.
    answer: str | None = Field(default=None, sa_type=sa.Text)
    created_at: datetime = Field(sa_type=UtcDateTime, index=True)


def add(session: Session, *rows: SQLModel) -> None:
    """Insert rows and flush, in their order."""
    for row in rows:
        session.add(row)
        session.flush()


def add_if_free(session: Session, row: SQLModel) -> bool:
    """Insert a row unless a unique constraint is in its way; the transaction stays usable."""
    try:
        with session.begin_nested():
            session.add(row)
    except sa.exc.IntegrityError:
        return False
    return True


def organisation(session: Session, organisation_id: OrganisationId) -> Organisation | None:
    """Return an organisation by its id."""
    return session.get(Organisation, organisation_id)


def organisation_by_slug(session: Session, slug: str) -> Organisation | None:
    """Return an organisation by its short name."""
    return session.exec(select(Organisation).where(Organisation.slug == slug)).first()


def organisations(session: Session) -> Sequence[Organisation]:
    """Return every organisation, by short name."""
    return session.exec(select(Organisation).order_by(Organisation.slug)).all()


def member(session: Session, member_id: MemberId) -> Member | None:
    """Return a member by his id, removed ones too."""
    return session.get(Member, member_id)


def redact(session: Session, row: Member) -> None:
    """Take a person's name and address away; his id and his keys stay."""
    row.name, row.email = REDACTED, f"{row.id}@{REDACTED}"
    add(session, row)


def organisation_id_of(row: Member) -> OrganisationId:
    """Return the organisation that a member belongs to."""
    return OrganisationId(row.organisation_id)


def member_by_email(session: Session, organisation_id: OrganisationId, email: str) -> Member | None:
    """Return a member of an organisation by his address."""
    query = select(Member).where(Member.organisation_id == organisation_id, Member.email == email)
    return session.exec(query).first()


def members(session: Session, organisation_id: OrganisationId) -> Sequence[Member]:
    """Return the members of an organisation, oldest first."""
    query = select(Member).where(Member.organisation_id == organisation_id).order_by(Member.id)
    return session.exec(query).all()


def has_operator(session: Session) -> bool:
    """Tell whether a member who was not removed holds the role of operator."""
    query = select(Member).where(col(Member.removed_at).is_(None))
    return any("operator" in row.roles for row in session.exec(query))


def key_by_digest(session: Session, public_key_sha256: Sha256Hex) -> MemberKey | None:
    """Return a registered public key by the SHA-256 of its text."""
    query = select(MemberKey).where(MemberKey.public_key_sha256 == public_key_sha256)
    return session.exec(query).first()


def keys(session: Session, member_id: MemberId) -> Sequence[MemberKey]:
    """Return the public keys of a member, oldest first."""
    query = select(MemberKey).where(MemberKey.member_id == member_id).order_by(MemberKey.id)
    return session.exec(query).all()


def token(session: Session, token_id: TokenId) -> Token | None:
    """Return a token by its id, whatever became of it."""
    return session.get(Token, token_id)


def token_with_member(session: Session, token_id: TokenId) -> tuple[Token, Member | None] | None:
    """Return a token and the person that it belongs to, in one query."""
    query = (
        select(Token, Member)
        .join(Member, isouter=True, onclause=col(Member.id) == col(Token.member_id))
        .where(Token.id == token_id)
    )
    found = session.exec(query).first()
    return None if found is None else (found[0], cast("Member | None", found[1]))


def tokens(session: Session, organisation_id: OrganisationId) -> Sequence[Token]:
    """Return the tokens of an organisation, newest first."""
    query = (
        select(Token).where(Token.organisation_id == organisation_id).order_by(col(Token.id).desc())
    )
    return session.exec(query).all()


def valid_tokens_of_member(session: Session, member_id: MemberId) -> Sequence[Token]:
    """Return a member's tokens that nobody revoked."""
    query = select(Token).where(Token.member_id == member_id, col(Token.revoked_at).is_(None))
    return session.exec(query).all()


def open_setup_tokens(session: Session) -> Sequence[Token]:
    """Return the tokens of the setup that were neither exchanged nor revoked."""
    query = select(Token).where(
        col(Token.organisation_id).is_(None), col(Token.revoked_at).is_(None)
    )
    return session.exec(query).all()


def note_use(session: Session, token_id: TokenId, now: datetime, not_after: datetime) -> bool:
    """Set a token's last use unless one after ``not_after`` is noted; tell whether it was set."""
    used = col(Token.last_used_at)
    statement = (
        sa.update(Token)
        .where(col(Token.id) == token_id, sa.or_(used.is_(None), used <= not_after))
        .values(last_used_at=now)
    )
    return _changed(session, statement) == 1


def spend(session: Session, token_id: TokenId, now: datetime) -> bool:
    """Revoke a one-time token that was never used; False when somebody was faster."""
    statement = (
        sa.update(Token)
        .where(col(Token.id) == token_id, col(Token.revoked_at).is_(None))
        .values(revoked_at=now, last_used_at=now)
    )
    return _changed(session, statement) == 1


def remembered(session: Session, principal: str, route: str, key: str) -> RememberedAnswer | None:
    """Return what is remembered for a scope."""
    query = select(RememberedAnswer).where(
        RememberedAnswer.principal == principal,
        RememberedAnswer.route == route,
        RememberedAnswer.key == key,
    )
    return session.exec(query).first()


def forget(session: Session, row: RememberedAnswer) -> None:
    """Delete one remembered answer."""
    session.delete(row)
    session.flush()


def forget_before(session: Session, moment: datetime) -> int:
    """Delete the answers that were remembered before a moment; return how many."""
    statement = sa.delete(RememberedAnswer).where(col(RememberedAnswer.created_at) < moment)
    return _changed(session, statement)


def _changed(session: Session, statement: UpdateBase) -> int:
    return int(session.exec(statement).rowcount)
