"""The register's tables and every query over them. They decide nothing.

Versions are kept for ever: on every database, triggers refuse to change a version's text or to
delete it. Only the moment at which it came into force is written later, once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Field, Session, SQLModel, col, select
from sqlmodel.sql.expression import SelectOfScalar

from escrow.ground.database import UtcDateTime
from escrow.ground.identifiers import AgreementId, MemberId, OrganisationId, ProductId


class AgreementRow(SQLModel, table=True):
    """An agreement: the thread through its versions."""

    __tablename__ = "agreement"

    id: str = Field(primary_key=True, max_length=40)
    vendor_organisation_id: str = Field(index=True, max_length=40)
    filed_by: str = Field(max_length=40)
    filed_at: datetime = Field(sa_type=UtcDateTime)


class VersionRow(SQLModel, table=True):
    """One version: its exact text, and when it came into force."""

    __tablename__ = "agreement_version"
    __table_args__ = (
        sa.UniqueConstraint("agreement_id", "text_sha256", name="uq_agreement_version_text"),
    )

    agreement_id: str = Field(foreign_key="agreement.id", primary_key=True, max_length=40)
    version: int = Field(primary_key=True)
    text: str = Field(sa_type=sa.Text)
    text_sha256: str = Field(max_length=64)
    title: str = Field(max_length=200)
    custody: str = Field(max_length=16)
    k: int
    n: int
    filed_by: str = Field(max_length=40)
    filed_at: datetime = Field(sa_type=UtcDateTime)
    in_force_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class AgreementEndRow(SQLModel, table=True):
    """That everything under an agreement was destroyed; it governs nothing any more."""

    __tablename__ = "agreement_end"

    agreement_id: str = Field(foreign_key="agreement.id", primary_key=True, max_length=40)
    ending_id: str = Field(max_length=40)
    ended_at: datetime = Field(sa_type=UtcDateTime)


class PartyRow(SQLModel, table=True):
    """An organisation, or an agent as a person, in one version of an agreement."""

    __tablename__ = "agreement_party"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["agreement_id", "version"],
            ["agreement_version.agreement_id", "agreement_version.version"],
        ),
    )

    agreement_id: str = Field(primary_key=True, max_length=40)
    version: int = Field(primary_key=True)
    role: str = Field(primary_key=True, max_length=16)
    organisation_id: str = Field(primary_key=True, max_length=40, index=True)
    # Agents are persons; for vendor and beneficiaries this is empty.
    member_id: str = Field(default="", primary_key=True, max_length=40, index=True)


class ProductRow(SQLModel, table=True):
    """A product that one version of an agreement covers."""

    __tablename__ = "agreement_product"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["agreement_id", "version"],
            ["agreement_version.agreement_id", "agreement_version.version"],
        ),
    )

    agreement_id: str = Field(primary_key=True, max_length=40)
    version: int = Field(primary_key=True)
    product_id: str = Field(primary_key=True, max_length=40, index=True)


class AcceptanceRow(SQLModel, table=True):
    """A signature under one version, verbatim."""

    __tablename__ = "acceptance"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["agreement_id", "version"],
            ["agreement_version.agreement_id", "agreement_version.version"],
        ),
    )

    agreement_id: str = Field(primary_key=True, max_length=40)
    version: int = Field(primary_key=True)
    signing_key: str = Field(primary_key=True, max_length=60)
    role: str = Field(max_length=16)
    organisation: str = Field(max_length=64)
    act_sha256: str = Field(max_length=64, unique=True)
    envelope_json: str = Field(sa_type=sa.Text)
    accepted_at: datetime = Field(sa_type=UtcDateTime)


class RecipientCanaryRow(SQLModel, table=True):
    """A secret sealed to a beneficiary's recipient; only a salted commitment to it is kept."""

    __tablename__ = "recipient_canary"

    id: str = Field(primary_key=True, max_length=40)
    agreement_id: str = Field(foreign_key="agreement.id", index=True, max_length=40)
    organisation: str = Field(max_length=64)
    kind: str = Field(max_length=16)
    recipient: str = Field(sa_type=sa.Text)
    canary_file: bytes
    salt: str = Field(max_length=64)
    secret_commitment: str = Field(max_length=64)
    made_at: datetime = Field(sa_type=UtcDateTime)
    proven_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    act_sha256: str | None = Field(default=None, max_length=64, unique=True)
    envelope_json: str | None = Field(default=None, sa_type=sa.Text)


class CanaryOpeningRow(SQLModel, table=True):
    """An agent's signed statement that an epoch's canary opened in his client, verbatim."""

    __tablename__ = "canary_opening"

    agreement_id: str = Field(foreign_key="agreement.id", primary_key=True, max_length=40)
    epoch: int = Field(primary_key=True)
    signing_key: str = Field(primary_key=True, max_length=60)
    act_sha256: str = Field(max_length=64, unique=True)
    envelope_json: str = Field(sa_type=sa.Text)
    opened_at: datetime = Field(sa_type=UtcDateTime)


def keep_versions_statements(dialect: str) -> list[str]:
    """Return the statements that make a version's text unchangeable; run after the tables exist.

    Args:
        dialect: ``sqlite`` or ``postgresql``.
    """
    kept = "agreement_id, version, text, text_sha256, filed_by, filed_at"
    table = "agreement_version"
    if dialect == "postgresql":
        return [
            "CREATE OR REPLACE FUNCTION agreement_versions_are_kept() RETURNS trigger AS"
            " $$ BEGIN RAISE EXCEPTION 'versions of agreements are kept'; END $$ LANGUAGE plpgsql",
            f"CREATE TRIGGER {table}_no_update BEFORE UPDATE OF {kept} ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION agreement_versions_are_kept()",
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION agreement_versions_are_kept()",
        ]
    refuse = "BEGIN SELECT RAISE(ABORT, 'versions of agreements are kept'); END"
    # A REPLACE deletes the row in its way without firing delete triggers; so it is met here.
    taken = (
        f"EXISTS (SELECT 1 FROM {table} WHERE agreement_id = NEW.agreement_id"  # noqa: S608 (our names)
        " AND (version = NEW.version OR text_sha256 = NEW.text_sha256))"
    )
    return [
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE OF {kept} ON {table} {refuse}",
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}",
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {taken} {refuse}",
    ]


def _attach_triggers() -> None:
    table = SQLModel.metadata.tables["agreement_version"]
    for dialect in ("sqlite", "postgresql"):
        for text in keep_versions_statements(dialect):
            statement = sa.DDL(text).execute_if(dialect=dialect)  # type: ignore[no-untyped-call]
            sa.event.listen(table, "after_create", statement)


_attach_triggers()


def add(session: Session, *rows: SQLModel) -> None:
    """Store new rows."""
    session.add_all(rows)
    session.flush()


def agreement_by_id(session: Session, agreement_id: AgreementId) -> AgreementRow | None:
    """Return an agreement."""
    return session.get(AgreementRow, agreement_id)


@dataclass(frozen=True)
class Ownership:
    """Whose an agreement is, and which of its versions say who stands in it."""

    vendor_organisation_id: str
    newest: int
    in_force: int | None


def ownership_of(session: Session, agreement_id: AgreementId) -> Ownership | None:
    """Return whose an agreement is, without its texts; every request under it asks."""
    counts = sa.case((col(VersionRow.in_force_at).is_not(None), col(VersionRow.version)))
    query = (
        select(
            AgreementRow.vendor_organisation_id,
            sa.func.max(col(VersionRow.version)),
            sa.func.max(counts),
        )
        .join(VersionRow, col(VersionRow.agreement_id) == AgreementRow.id)
        .where(AgreementRow.id == agreement_id)
        .group_by(col(AgreementRow.vendor_organisation_id))
    )
    found = session.exec(query).first()
    return None if found is None else Ownership(*found)


def newest_version(session: Session, agreement_id: AgreementId) -> VersionRow | None:
    """Return the version that was filed last."""
    return session.exec(
        select(VersionRow)
        .where(VersionRow.agreement_id == agreement_id)
        .order_by(col(VersionRow.version).desc())
        .limit(1)
    ).first()


def version_of(session: Session, agreement_id: AgreementId, version: int) -> VersionRow | None:
    """Return one version."""
    return session.get(VersionRow, (agreement_id, version))


def version_in_force(session: Session, agreement_id: AgreementId) -> VersionRow | None:
    """Return the version that came into force last."""
    return session.exec(
        select(VersionRow)
        .where(VersionRow.agreement_id == agreement_id, col(VersionRow.in_force_at).is_not(None))
        .order_by(col(VersionRow.version).desc())
        .limit(1)
    ).first()


def governing_agreements() -> SelectOfScalar[str]:
    """Return a query for every agreement of which a version is in force and which has not ended."""
    return (
        select(VersionRow.agreement_id)
        .where(
            col(VersionRow.in_force_at).is_not(None),
            col(VersionRow.agreement_id).not_in(select(AgreementEndRow.agreement_id)),
        )
        .distinct()
    )


def agreement_end(session: Session, agreement_id: AgreementId) -> AgreementEndRow | None:
    """Return that an agreement ended, None while it has not."""
    return session.get(AgreementEndRow, agreement_id)


def in_force_since(session: Session, agreement_id: AgreementId) -> datetime:
    """Return when the first version of an agreement that is in force came into force."""
    moments = session.exec(
        select(VersionRow.in_force_at)
        .where(VersionRow.agreement_id == agreement_id, col(VersionRow.in_force_at).is_not(None))
        .order_by(col(VersionRow.version))
        .limit(1)
    )
    return cast("datetime", moments.one())


def version_with_text(
    session: Session, agreement_id: AgreementId, text_sha256: str
) -> VersionRow | None:
    """Return the version that has exactly this text."""
    return session.exec(
        select(VersionRow).where(
            VersionRow.agreement_id == agreement_id, VersionRow.text_sha256 == text_sha256
        )
    ).first()


def write_in_force(session: Session, row: VersionRow, at: datetime) -> None:
    """Write down when a version came into force."""
    row.in_force_at = at
    session.add(row)
    session.flush()


def versions_in_force_covering(session: Session, product_id: ProductId) -> list[VersionRow]:
    """Return, for each agreement, its version in force when that covers the product."""
    newer = aliased(VersionRow)
    return list(
        session.exec(
            select(VersionRow)
            .join(
                ProductRow,
                (col(ProductRow.agreement_id) == VersionRow.agreement_id)
                & (col(ProductRow.version) == VersionRow.version),
            )
            .where(
                ProductRow.product_id == product_id,
                col(VersionRow.in_force_at).is_not(None),
                ~sa.exists().where(col(AgreementEndRow.agreement_id) == VersionRow.agreement_id),
                ~sa.exists().where(
                    col(newer.agreement_id) == VersionRow.agreement_id,
                    col(newer.version) > VersionRow.version,
                    col(newer.in_force_at).is_not(None),
                ),
            )
            .order_by(VersionRow.agreement_id)
        )
    )


def agreements_covering(session: Session, product_id: ProductId) -> list[AgreementId]:
    """Return every agreement of which any version names the product."""
    found = session.exec(
        select(ProductRow.agreement_id).where(ProductRow.product_id == product_id).distinct()
    )
    return [AgreementId(one) for one in sorted(found)]


def agreements_naming(
    session: Session,
    *,
    organisation_id: OrganisationId | None = None,
    member_id: MemberId | None = None,
) -> list[AgreementId]:
    """Return the agreements of which any version names the organisation or the agent; else all."""
    query = select(PartyRow.agreement_id).distinct()
    if organisation_id is not None:
        query = query.where(PartyRow.organisation_id == organisation_id)
    if member_id is not None:
        query = query.where(PartyRow.member_id == member_id)
    return [AgreementId(one) for one in sorted(session.exec(query))]


def parties_of(
    session: Session, agreement_id: AgreementId, versions: Iterable[int]
) -> list[PartyRow]:
    """Return who stands in any of these versions."""
    return list(
        session.exec(
            select(PartyRow).where(
                PartyRow.agreement_id == agreement_id, col(PartyRow.version).in_(list(versions))
            )
        )
    )


def products_of(
    session: Session, agreement_id: AgreementId, versions: Iterable[int]
) -> list[ProductId]:
    """Return the products that any of these versions covers."""
    found = session.exec(
        select(ProductRow.product_id)
        .where(ProductRow.agreement_id == agreement_id, col(ProductRow.version).in_(list(versions)))
        .distinct()
    )
    return [ProductId(one) for one in found]


def acceptances_by(session: Session, signing_key: str) -> list[AcceptanceRow]:
    """Return everything that a key has accepted, under all agreements."""
    wanted = select(AcceptanceRow).where(AcceptanceRow.signing_key == signing_key)
    return list(session.exec(wanted))


def acceptances_of(
    session: Session, agreement_id: AgreementId, version: int
) -> list[AcceptanceRow]:
    """Return the signatures under a version, oldest first."""
    return list(
        session.exec(
            select(AcceptanceRow)
            .where(AcceptanceRow.agreement_id == agreement_id, AcceptanceRow.version == version)
            .order_by(col(AcceptanceRow.accepted_at))
        )
    )


def agreements_proven_before(session: Session, moment: datetime) -> list[AgreementId]:
    """Return the agreements of which some proof of a recipient is older than that."""
    found = session.exec(
        select(RecipientCanaryRow.agreement_id)
        .where(col(RecipientCanaryRow.proven_at) <= moment)
        .distinct()
        .order_by(RecipientCanaryRow.agreement_id)
    )
    return [AgreementId(one) for one in found]


def canaries_of(session: Session, agreement_id: AgreementId) -> list[RecipientCanaryRow]:
    """Return an agreement's recipients' canaries, oldest first."""
    return list(
        session.exec(
            select(RecipientCanaryRow)
            .where(RecipientCanaryRow.agreement_id == agreement_id)
            .order_by(col(RecipientCanaryRow.id))
        )
    )


def write_proof(
    session: Session, row: RecipientCanaryRow, act_sha256: str, envelope_json: str, at: datetime
) -> None:
    """Write down by which act a canary was proven to be opened."""
    row.proven_at, row.act_sha256, row.envelope_json = at, act_sha256, envelope_json
    session.add(row)
    session.flush()


def openings_of(session: Session, agreement_id: AgreementId, epoch: int) -> list[CanaryOpeningRow]:
    """Return the verified openings of an epoch's canary."""
    return list(
        session.exec(
            select(CanaryOpeningRow).where(
                CanaryOpeningRow.agreement_id == agreement_id, CanaryOpeningRow.epoch == epoch
            )
        )
    )
