"""The intake's tables and every query over them. They decide nothing.

Every table carries the product's id: it is the unit that a vendor sees and that jobs, headers
and documents refer to.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, Session, SQLModel, col, select

from escrow.ground.database import UtcDateTime
from escrow.ground.identifiers import DepositId, OrganisationId, ProductId, UploadId


class Product(SQLModel, table=True):
    """Something that a vendor owes a deposit of."""

    __tablename__ = "product"
    __table_args__ = (
        sa.UniqueConstraint("organisation_id", "slug", name="uq_product_organisation_slug"),
    )

    id: str = Field(primary_key=True, max_length=40)
    organisation_id: str = Field(index=True, max_length=40)
    slug: str = Field(max_length=64)
    name: str = Field(max_length=200)
    history: str = Field(max_length=16)
    # Salt of the commitment to these terms in the ledger.
    terms_salt: str = Field(max_length=64)
    created_at: datetime = Field(sa_type=UtcDateTime)


class ProductRepository(SQLModel, table=True):
    """A git repository of a product, by the name that stands in its address."""

    __tablename__ = "product_repository"
    __table_args__ = (
        sa.UniqueConstraint("product_id", "slug", name="uq_product_repository_product_slug"),
    )

    id: str = Field(primary_key=True, max_length=40)
    product_id: str = Field(foreign_key="product.id", index=True, max_length=40)
    slug: str = Field(max_length=64)


class ProductRef(SQLModel, table=True):
    """A pattern of refs that count for a product."""

    __tablename__ = "product_ref"

    product_id: str = Field(foreign_key="product.id", primary_key=True, max_length=40)
    pattern: str = Field(primary_key=True, max_length=200)


class ProductMaterial(SQLModel, table=True):
    """A material that a product owes, or may bring."""

    __tablename__ = "product_material"

    product_id: str = Field(foreign_key="product.id", primary_key=True, max_length=40)
    kind: str = Field(primary_key=True, max_length=16)
    name: str = Field(default="", primary_key=True, max_length=120)
    required: bool = True
    max_age_days: int | None = None


class Deposit(SQLModel, table=True):
    """A snapshot of a product; numbered when it is sealed, without gaps."""

    __tablename__ = "deposit"
    __table_args__ = (
        sa.UniqueConstraint("product_id", "number", name="uq_deposit_product_number"),
    )

    id: str = Field(primary_key=True, max_length=40)
    product_id: str = Field(foreign_key="product.id", index=True, max_length=40)
    number: int | None = None
    state: str = Field(index=True, max_length=16)
    via: str = Field(max_length=16)
    opened_by: str = Field(max_length=40)
    opened_at: datetime = Field(sa_type=UtcDateTime)
    sealed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    repository_id: str | None = Field(
        default=None, foreign_key="product_repository.id", max_length=40
    )
    lane_recipient: str | None = Field(default=None, sa_type=sa.Text)
    # Opens the commitments that the ledger's event holds instead of digests of the parts.
    salt: str = Field(default="", max_length=64)
    # The bytes that the receipt signs; the ledger's event names them by their digest.
    receipt_statement: bytes | None = None
    ledger_entry_sha256: str | None = Field(default=None, max_length=64)
    receipt_json: str | None = Field(default=None, sa_type=sa.Text)
    # Of a push: when git was told ok. Until then the same push again means this deposit.
    acknowledged_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Part(SQLModel, table=True):
    """One part of a deposit: what came, and the sealed payload in which it lies."""

    __tablename__ = "part"
    __table_args__ = (
        sa.UniqueConstraint("deposit_id", "kind", "name", name="uq_part_deposit_kind_name"),
    )

    id: str = Field(primary_key=True, max_length=40)
    deposit_id: str = Field(foreign_key="deposit.id", index=True, max_length=40)
    product_id: str = Field(foreign_key="product.id", index=True, max_length=40)
    kind: str = Field(max_length=16)
    name: str = Field(max_length=120)
    media: str = Field(max_length=32)
    size_bytes: int = Field(sa_type=sa.BigInteger)
    sha256: str = Field(max_length=64)
    encoding: str = Field(max_length=16)
    payload_sha256: str = Field(index=True, max_length=64)
    payload_size_bytes: int = Field(sa_type=sa.BigInteger)
    # Empty for a part carried forward: its headers hang on the part that was sent.
    lane_header: bytes = b""
    # Of a client-sealed part: the agreement that it serves, the epoch that its vendor named, and,
    # where it was sent, the header as he made it. Digest and size are then of the whole age file.
    client_agreement_id: str | None = Field(default=None, max_length=40)
    client_epoch: int | None = None
    client_header_sha256: str | None = Field(default=None, max_length=64)
    # Until it lies under Lock B: agents could open it without the service.
    client_header: bytes | None = None
    git: dict[str, Any] | None = Field(default=None, sa_type=sa.JSON)
    # The part that was sent, when this deposit took it over.
    carried_from: str | None = Field(default=None, foreign_key="part.id", max_length=40)
    as_of: datetime = Field(sa_type=UtcDateTime)


class Upload(SQLModel, table=True):
    """A part on its way, piece by piece."""

    __tablename__ = "upload"

    id: str = Field(primary_key=True, max_length=40)
    deposit_id: str = Field(foreign_key="deposit.id", index=True, max_length=40)
    product_id: str = Field(foreign_key="product.id", index=True, max_length=40)
    token_id: str = Field(max_length=40)
    kind: str = Field(max_length=16)
    name: str = Field(max_length=120)
    media: str = Field(max_length=32)
    length: int = Field(sa_type=sa.BigInteger)
    offset_bytes: int = Field(default=0, sa_type=sa.BigInteger)
    sha256: str | None = Field(default=None, max_length=64)
    # Set where the vendor sealed the part himself.
    client_agreement_id: str | None = Field(default=None, max_length=40)
    client_epoch: int | None = None
    # Where the sealed bytes lie until the part is whole (a name in the blob store's staging).
    staging: str | None = Field(default=None, max_length=80)
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime, index=True)
    state: str = Field(max_length=16)


def product_by_slugs(
    session: Session, organisation_id: OrganisationId, product_slug: str
) -> Product | None:
    """Return a vendor's product by its name."""
    return session.exec(
        select(Product).where(
            Product.organisation_id == organisation_id, Product.slug == product_slug
        )
    ).first()


def product_by_id(session: Session, product_id: ProductId) -> Product | None:
    """Return a product."""
    return session.get(Product, product_id)


def products_of(session: Session, organisation_id: OrganisationId) -> list[Product]:
    """Return a vendor's products by name."""
    query = select(Product).where(Product.organisation_id == organisation_id)
    return list(session.exec(query.order_by(Product.slug)))


def all_products(session: Session) -> list[Product]:
    """Return every product, by vendor and name."""
    return list(session.exec(select(Product).order_by(Product.organisation_id, Product.slug)))


def repository_by_slug(
    session: Session, product_id: ProductId, slug: str
) -> ProductRepository | None:
    """Return a product's repository by its name."""
    return session.exec(
        select(ProductRepository).where(
            ProductRepository.product_id == product_id, ProductRepository.slug == slug
        )
    ).first()


def repositories_of(session: Session, product_id: ProductId) -> list[ProductRepository]:
    """Return a product's repositories by name."""
    query = select(ProductRepository).where(ProductRepository.product_id == product_id)
    return list(session.exec(query.order_by(ProductRepository.slug)))


def patterns_of(session: Session, product_id: ProductId) -> list[str]:
    """Return the patterns of refs that count, sorted."""
    query = select(ProductRef.pattern).where(ProductRef.product_id == product_id)
    return sorted(session.exec(query))


def materials_of(session: Session, product_id: ProductId) -> list[ProductMaterial]:
    """Return the materials that a product owes or may bring."""
    query = select(ProductMaterial).where(ProductMaterial.product_id == product_id)
    return list(session.exec(query.order_by(ProductMaterial.kind, ProductMaterial.name)))


def deposit_by_id(session: Session, deposit_id: DepositId) -> Deposit | None:
    """Return a deposit."""
    return session.get(Deposit, deposit_id)


def deposit_by_number(session: Session, product_id: ProductId, number: int) -> Deposit | None:
    """Return a product's sealed deposit by its number."""
    return session.exec(
        select(Deposit).where(Deposit.product_id == product_id, Deposit.number == number)
    ).first()


def deposits_of(
    session: Session, product_id: ProductId, limit: int, before: int | None = None
) -> list[Deposit]:
    """Return a product's sealed deposits, newest first, from below a number on."""
    query = select(Deposit).where(Deposit.product_id == product_id, Deposit.state == "sealed")
    if before is not None:
        query = query.where(col(Deposit.number) < before)
    return list(session.exec(query.order_by(col(Deposit.number).desc()).limit(limit)))


def newest_sealed(session: Session, product_id: ProductId) -> Deposit | None:
    """Return a product's newest sealed deposit."""
    return next(iter(deposits_of(session, product_id, 1)), None)


def last_number(session: Session, product_id: ProductId) -> int:
    """Return the highest number that a product's deposit ever had, withdrawn ones included."""
    query = select(sa.func.max(Deposit.number)).where(Deposit.product_id == product_id)
    return session.exec(query).one() or 0


def open_before(session: Session, via: str, moment: datetime) -> list[Deposit]:
    """Return the open deposits of one way in that were opened before a moment."""
    return list(
        session.exec(
            select(Deposit).where(
                Deposit.state == "open", Deposit.via == via, Deposit.opened_at < moment
            )
        )
    )


def without_receipt(session: Session) -> list[Deposit]:
    """Return the sealed deposits that still lack their receipt, oldest first."""
    return list(
        session.exec(
            select(Deposit)
            .where(Deposit.state == "sealed", col(Deposit.receipt_json).is_(None))
            .order_by(col(Deposit.sealed_at))
        )
    )


def naming(session: Session, payloads: Sequence[str]) -> dict[DepositId, set[str]]:
    """Return the deposits that have parts of these payloads, carried ones too, each with them."""
    found: dict[DepositId, set[str]] = {}
    if payloads:
        query = select(Part).where(col(Part.payload_sha256).in_(payloads))
        for part in session.exec(query):
            found.setdefault(DepositId(part.deposit_id), set()).add(part.payload_sha256)
    return found


def parts_of(session: Session, deposit_id: DepositId) -> list[Part]:
    """Return a deposit's parts by kind and name."""
    query = select(Part).where(Part.deposit_id == deposit_id)
    return list(session.exec(query.order_by(Part.kind, Part.name)))


def deposits_of_parts(session: Session, part_ids: Sequence[str | None]) -> dict[str, str]:
    """Return for each part the deposit in which it came."""
    wanted = [part_id for part_id in part_ids if part_id is not None]
    query = select(Part.id, Part.deposit_id).where(col(Part.id).in_(wanted))
    return dict(session.exec(query).all())


def note_lane(session: Session, deposit_id: DepositId, recipient: str) -> None:
    """Write down the lane that a deposit's file keys are sealed to."""
    row = session.get(Deposit, deposit_id)
    if row is not None:
        row.lane_recipient = recipient
        add(session, row)


def note_receipt(session: Session, deposit_id: DepositId, receipt_json: str) -> None:
    """Write down a deposit's receipt, unless it has one."""
    row = session.get(Deposit, deposit_id)
    if row is not None and row.receipt_json is None:
        row.receipt_json = receipt_json
        add(session, row)


def forget_client_headers(session: Session, deposit_id: DepositId) -> None:
    """Empty the headers of client-sealed parts, which lie under Lock B by now."""
    for part in parts_of(session, deposit_id):
        if part.client_header is not None:
            part.client_header = None
            add(session, part)


def note_acknowledged(session: Session, deposit_id: DepositId, now: datetime) -> None:
    """Write down that whoever pushed a deposit was told of it."""
    row = session.get(Deposit, deposit_id)
    if row is not None and row.acknowledged_at is None:
        row.acknowledged_at = now
        add(session, row)


def part_by_id(session: Session, part_id: str) -> Part | None:
    """Return a part."""
    return session.get(Part, part_id)


def upload_by_id(session: Session, upload_id: UploadId) -> Upload | None:
    """Return an upload."""
    return session.get(Upload, upload_id)


def uploads_of(session: Session, deposit_id: DepositId, state: str) -> list[Upload]:
    """Return a deposit's uploads in one state."""
    return list(
        session.exec(select(Upload).where(Upload.deposit_id == deposit_id, Upload.state == state))
    )


def uploads_in(session: Session, state: str) -> list[Upload]:
    """Return every upload in one state."""
    return list(session.exec(select(Upload).where(Upload.state == state)))


def uploads_over(session: Session, now: datetime) -> list[Upload]:
    """Return the open uploads whose time is over, or whose deposit takes no more parts."""
    return list(
        session.exec(
            select(Upload)
            .join(Deposit, col(Deposit.id) == col(Upload.deposit_id))
            .where(
                Upload.state == "open",
                sa.or_(col(Upload.expires_at) <= now, col(Deposit.state) != "open"),
            )
        )
    )


def note_upload(session: Session, upload_id: UploadId, offset: int, expires_at: datetime) -> None:
    """Write down how far an open upload is, and how long it now lives."""
    row = session.get(Upload, upload_id)
    if row is not None:
        row.offset_bytes, row.expires_at = offset, expires_at
        add(session, row)


def close_upload(session: Session, upload_id: UploadId, state: str) -> None:
    """Write down how an upload ended."""
    row = session.get(Upload, upload_id)
    if row is not None:
        row.state = state
        add(session, row)


def add(session: Session, *rows: SQLModel) -> None:
    """Store new or changed rows in the open transaction."""
    session.add_all(rows)
    session.flush()
