"""Verification's tables and every query over them. They decide nothing.

What stands here may be shown within the class that each row names: findings without their
sentences, and signed statements that hold nothing of what the product is. Whatever does (the
vendor's report, manifest, log) is a sealed document of the vault and only referred to.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, Session, SQLModel, col, select

from escrow.ground.database import UtcDateTime
from escrow.ground.identifiers import AgreementId, DepositId, ExaminationId, ProductId
from escrow.verification import judging

ALL_AGREEMENTS = AgreementId(judging.ALL_AGREEMENTS)


class ExaminationRow(SQLModel, table=True):
    """One verification of one deposit; a later one of the same deposit is another round.

    One that ``confirms`` another is a second worker's, of the same bytes.
    """

    __tablename__ = "examination"
    __table_args__ = (
        sa.UniqueConstraint("deposit_id", "round", name="uq_examination_deposit_round"),
    )

    id: str = Field(primary_key=True, max_length=40)
    deposit_id: str = Field(foreign_key="deposit.id", index=True, max_length=40)
    product_id: str = Field(foreign_key="product.id", index=True, max_length=40)
    round: int = 1
    # Id of the examination that a second worker looks at again; empty of a first one.
    confirms: str = Field(default="", max_length=40, sa_column_kwargs={"server_default": ""})
    # Id of the key of the worker that concluded it.
    worker: str | None = Field(default=None, max_length=64)
    # Number of the deposit and the line that it belongs to: who overtakes whom in the queue.
    deposit_number: int
    release_line: str | None = Field(default=None, max_length=64)
    state: str = Field(index=True, max_length=16)
    # Grows with every beginning: an attempt that finds another number has been taken over.
    attempt: int = 0
    verdict: str | None = Field(default=None, max_length=16)
    level: str | None = Field(default=None, max_length=16)
    reason: str | None = Field(default=None, max_length=40)
    queued_at: datetime = Field(sa_type=UtcDateTime)
    begun_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    next_attempt_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class FindingRow(SQLModel, table=True):
    """That something was found, without what exactly: code, weight, where, how often."""

    __tablename__ = "finding"

    examination_id: str = Field(foreign_key="examination.id", primary_key=True, max_length=40)
    agreement_id: str = Field(default=ALL_AGREEMENTS, primary_key=True, max_length=40)
    code: str = Field(primary_key=True, max_length=60)
    # Place of the component in the plan; -1: the deposit as a whole. Its name is the vendor's.
    component: int = Field(default=-1, primary_key=True)
    product_id: str = Field(foreign_key="product.id", index=True, max_length=40)
    severity: str = Field(max_length=8)
    level: str | None = Field(default=None, max_length=16)
    count: int = 1


class ReportRow(SQLModel, table=True):
    """A signed statement on an examination, for one class of readers of one agreement.

    ``document`` is the signed document where it tells nothing of what the product is; else
    ``document_id`` names its sealed form, and ``document`` is empty. ``proof`` is the ledger's, and
    stands in ``document`` too; a sealed document gets it when it is opened.
    """

    __tablename__ = "report"

    examination_id: str = Field(foreign_key="examination.id", primary_key=True, max_length=40)
    agreement_id: str = Field(default=ALL_AGREEMENTS, primary_key=True, max_length=40)
    disclosure_class: str = Field(primary_key=True, max_length=16)
    deposit_id: str = Field(foreign_key="deposit.id", index=True, max_length=40)
    product_id: str = Field(foreign_key="product.id", index=True, max_length=40)
    verdict: str = Field(max_length=16)
    level: str | None = Field(default=None, max_length=16)
    reason: str | None = Field(default=None, max_length=40)
    ordered_level: str = Field(max_length=16)
    renews_badge: bool
    meets_cadence: bool
    signed_at: datetime = Field(sa_type=UtcDateTime)
    statement_sha256: str = Field(max_length=64)
    entry_sha256: str = Field(index=True, max_length=64)
    document: dict[str, Any] | None = Field(default=None, sa_type=sa.JSON)
    document_id: str | None = Field(default=None, max_length=40)
    proof: dict[str, Any] | None = Field(default=None, sa_type=sa.JSON)


class BuilderImageRow(SQLModel, table=True):
    """An image that trial builds ran, as it lies in the store: unsealed, for it is no vendor's."""

    __tablename__ = "builder_image"

    image_id: str = Field(primary_key=True, max_length=80)
    name: str = Field(max_length=200)
    # Path in a package.
    file: str = Field(max_length=200)
    tar_sha256: str = Field(max_length=64)
    tar_size_bytes: int = Field(sa_type=sa.BigInteger)
    archive_sha256: str = Field(index=True, max_length=64)
    archive_size_bytes: int = Field(sa_type=sa.BigInteger)
    kept_at: datetime = Field(sa_type=UtcDateTime)


class KitImageRow(SQLModel, table=True):
    """That a recovery kit needs an image. Whoever is handed the kit may fetch the image."""

    __tablename__ = "kit_image"

    document_id: str = Field(primary_key=True, max_length=40)
    image_id: str = Field(foreign_key="builder_image.image_id", primary_key=True, max_length=80)


def add(session: Session, *rows: SQLModel) -> None:
    """Store new or changed rows in the open transaction."""
    session.add_all(rows)
    session.flush()


def examination_by_id(session: Session, examination_id: ExaminationId) -> ExaminationRow | None:
    """Return an examination."""
    return session.get(ExaminationRow, examination_id)


def newest_examination(session: Session, deposit_id: DepositId) -> ExaminationRow | None:
    """Return the latest round of a deposit's examination; a second worker's is none."""
    query = select(ExaminationRow).where(
        ExaminationRow.deposit_id == deposit_id, ExaminationRow.confirms == ""
    )
    return session.exec(query.order_by(col(ExaminationRow.round).desc())).first()


def rounds_of(session: Session, deposit_id: DepositId) -> list[ExaminationRow]:
    """Return every examination of a deposit, a second worker's too, oldest first."""
    query = select(ExaminationRow).where(ExaminationRow.deposit_id == deposit_id)
    return list(session.exec(query.order_by(col(ExaminationRow.round))))


def examinations_of(session: Session, product_id: ProductId) -> list[ExaminationRow]:
    """Return all examinations of a product by number of the deposit."""
    query = select(ExaminationRow).where(ExaminationRow.product_id == product_id)
    return list(
        session.exec(query.order_by(col(ExaminationRow.deposit_number), col(ExaminationRow.round)))
    )


def examinations_of_deposits(
    session: Session, deposit_ids: Iterable[str]
) -> dict[str, ExaminationRow]:
    """Return the newest examination of each of some deposits."""
    query = select(ExaminationRow).where(col(ExaminationRow.deposit_id).in_(list(deposit_ids)))
    return {row.deposit_id: row for row in session.exec(query.order_by(col(ExaminationRow.round)))}


def passed_over_in_line(
    session: Session, product_id: ProductId, release_line: str
) -> list[ExaminationRow]:
    """Return the passed-over examinations since the line's last real one, oldest first."""
    line = (
        ExaminationRow.product_id == product_id,
        ExaminationRow.release_line == release_line,
    )
    last_real = (
        select(sa.func.coalesce(sa.func.max(ExaminationRow.deposit_number), 0))
        .where(*line, col(ExaminationRow.begun_at).is_not(None))
        .scalar_subquery()
    )
    query = select(ExaminationRow).where(
        *line,
        ExaminationRow.reason == "superseded",
        col(ExaminationRow.deposit_number) > last_real,
    )
    return list(session.exec(query.order_by(col(ExaminationRow.deposit_number))))


def unfinished(session: Session) -> list[ExaminationRow]:
    """Return every examination that is not done, oldest first."""
    query = select(ExaminationRow).where(ExaminationRow.state != "done")
    return list(session.exec(query.order_by(col(ExaminationRow.queued_at))))


def findings_of(
    session: Session, examination_id: ExaminationId, agreement_id: AgreementId | None = None
) -> list[FindingRow]:
    """Return the findings of an examination that concern an agreement; None: of every one."""
    query = select(FindingRow).where(FindingRow.examination_id == examination_id)
    if agreement_id is not None:
        concerned = (ALL_AGREEMENTS, agreement_id)
        query = query.where(col(FindingRow.agreement_id).in_(concerned))
    return list(session.exec(query.order_by(FindingRow.code, col(FindingRow.component))))


def report_of(
    session: Session,
    deposit_id: DepositId,
    disclosure_class: str,
    agreement_id: AgreementId = ALL_AGREEMENTS,
    *,
    confirming: bool = False,
) -> ReportRow | None:
    """Return the newest report of a deposit for a class of readers of an agreement.

    Args:
        confirming: a second worker's, in the place of the first one's.
    """
    is_second = ExaminationRow.confirms != "" if confirming else ExaminationRow.confirms == ""
    query = (
        select(ReportRow)
        .join(ExaminationRow, col(ReportRow.examination_id) == ExaminationRow.id)
        .where(
            ReportRow.deposit_id == deposit_id,
            ReportRow.disclosure_class == disclosure_class,
            ReportRow.agreement_id == agreement_id,
            is_second,
        )
    )
    return session.exec(query.order_by(col(ReportRow.signed_at).desc())).first()


def reports_of_examination(session: Session, examination_id: ExaminationId) -> list[ReportRow]:
    """Return all reports of an examination."""
    query = select(ReportRow).where(ReportRow.examination_id == examination_id)
    return list(session.exec(query.order_by(ReportRow.agreement_id, ReportRow.disclosure_class)))


def reports_of_deposits(
    session: Session,
    deposit_ids: Iterable[str],
    disclosure_class: str,
    agreement_id: AgreementId = ALL_AGREEMENTS,
) -> dict[str, ReportRow]:
    """Return the newest report of each of some deposits for a class of readers."""
    query = select(ReportRow).where(
        col(ReportRow.deposit_id).in_(list(deposit_ids)),
        ReportRow.disclosure_class == disclosure_class,
        ReportRow.agreement_id == agreement_id,
    )
    return {row.deposit_id: row for row in session.exec(query.order_by(col(ReportRow.signed_at)))}


def badge_of(
    session: Session, product_id: ProductId, agreement_id: AgreementId = ALL_AGREEMENTS
) -> ExaminationRow | None:
    """Return the examination of the last provably buildable deposit of a product."""
    holds = col(ReportRow.renews_badge).is_(True)
    return _newest_with(session, product_id, agreement_id, holds)


def last_owed_of(
    session: Session, product_id: ProductId, agreement_id: AgreementId = ALL_AGREEMENTS
) -> ExaminationRow | None:
    """Return the examination of the last deposit that counts as one of those owed."""
    holds = col(ReportRow.meets_cadence).is_(True)
    return _newest_with(session, product_id, agreement_id, holds)


def _newest_with(
    session: Session,
    product_id: ProductId,
    agreement_id: AgreementId,
    holds: sa.ColumnElement[bool],
) -> ExaminationRow | None:
    second = sa.orm.aliased(ExaminationRow)
    # What a second worker found to fail is not proven, whatever the first one said.
    is_contradicted = sa.exists().where(
        col(second.deposit_id) == ExaminationRow.deposit_id,
        col(second.confirms) == ExaminationRow.id,
        col(second.verdict) == "fail",
    )
    query = (
        select(ExaminationRow)
        .join(ReportRow, col(ReportRow.examination_id) == ExaminationRow.id)
        .where(ReportRow.product_id == product_id, ReportRow.agreement_id == agreement_id, holds)
        .where(ExaminationRow.confirms == "", ~is_contradicted)
        .order_by(col(ExaminationRow.deposit_number).desc(), col(ExaminationRow.round).desc())
    )
    return session.exec(query).first()


def builder_image(session: Session, image_id: str) -> BuilderImageRow | None:
    """Return an image that is kept."""
    return session.get(BuilderImageRow, image_id)


def keep_builder_image(session: Session, row: BuilderImageRow) -> BuilderImageRow:
    """Store a row unless there is one; return the one that stands. Two workers may be at it."""
    try:
        with session.begin_nested():
            session.add(row)
        return row
    except sa.exc.IntegrityError:
        return session.get_one(BuilderImageRow, row.image_id)


def replace_builder_image(session: Session, row: BuilderImageRow) -> BuilderImageRow:
    """Have an image's row say what is stored now."""
    return session.merge(row)


def images_of_kits(session: Session, document_ids: Iterable[str]) -> list[BuilderImageRow]:
    """Return the images that some recovery kits need, each once."""
    query = (
        select(BuilderImageRow)
        .where(
            col(BuilderImageRow.image_id).in_(
                select(KitImageRow.image_id).where(
                    col(KitImageRow.document_id).in_(list(document_ids))
                )
            )
        )
        .order_by(BuilderImageRow.file)
    )
    return list(session.exec(query))
