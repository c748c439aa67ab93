"""The package of a release: an age file for each part and document, with what describes it.

A file is the header that the release wrote, followed by the payload that was stored when the
deposit was made; nothing is decrypted and nothing is copied. The last piece of a file is withheld
until the whole payload has its digest, so that a damaged one never looks complete. The images that
a recovery kit names lie beside, as they are stored: nothing of a vendor is in them, so they are not
sealed, and still nobody but the recipient of a release can fetch them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from escrow.deposits import records as deposits
from escrow.ground.database import Session
from escrow.ground.digests import Sha256Hex
from escrow.ground.identifiers import DepositId, PartId, ProductId, RequestId
from escrow.ground.paths import safe_name
from escrow.releases.errors import FileUnknown, NotReleased, OfferBroken
from escrow.releases.offers import Offer, OfferedDeposit, parse_offer
from escrow.vault import records as vault
from escrow.vault.blobs import BlobStore
from escrow.verification.kits import part_path
from escrow.verification.records import BuilderImageRow, images_of_kits

_PIECE_BYTES = 1024 * 1024


@dataclass(frozen=True)
class PackageFile:
    """One age file of a package.

    Args:
        id: under which it is fetched.
        path: below the package's folder; made of safe characters only.
        sha256, size_bytes: of what the opened file holds; None where its vendor sealed it himself,
            so that nobody else knows.
        encoding: ``zstd``: the opened file is to be decompressed; ``identity``: it is the thing.
        age_size_bytes: of the age file itself.
        original: kind and name as deposited, for people.
    """

    id: str
    path: str
    opened_path: str
    sha256: str | None
    size_bytes: int | None
    encoding: str
    age_size_bytes: int
    media: str
    original: str


@dataclass(frozen=True)
class PackageImage:
    """An image that a rebuild of the deposit needs.

    Args:
        sha256, size_bytes: of the tar that ``docker load`` takes: of the file, decompressed.
        archive_sha256, archive_size_bytes: of the file itself.
    """

    image_id: str
    name: str
    path: str
    opened_path: str
    sha256: str
    size_bytes: int
    archive_sha256: str
    archive_size_bytes: int


@dataclass(frozen=True)
class PackagedDeposit:
    """One deposit of a package."""

    deposit_id: str
    product: str
    number: int
    sealed_at: str
    verdict: str | None
    files: tuple[PackageFile, ...]
    images: tuple[PackageImage, ...] = ()


def packaged(session: Session, request_id: RequestId) -> tuple[Offer, list[PackagedDeposit]]:
    """Return what a release hands over, deposit by deposit.

    Raises:
        NotReleased: nothing was released.
        OfferBroken: the rows are not those of the offer.
    """
    headers = {row.thing_id: row for row in vault.released_headers_of(session, request_id)}
    row = vault.newest_round(session, request_id)
    if row is None or not headers:
        raise NotReleased
    offer = parse_offer(row.offer, row.offer_sha256)
    found = [_packaged(session, one, headers) for one in offer.deposits]
    return offer, found


def described(found: list[PackagedDeposit]) -> list[dict[str, object]]:
    """Return the package as a JSON value."""
    return json.loads(json.dumps([asdict(one) for one in found]))  # type: ignore[no-any-return]


def age_file_size(session: Session, request_id: RequestId, thing_id: str, blobs: BlobStore) -> int:
    """Return the size of one age file.

    Raises:
        FileUnknown: the release has no such file.
        BlobMissing: its payload is gone.
    """
    row = _header(session, request_id, thing_id)
    return len(row.header) + blobs.size_bytes(Sha256Hex(row.payload_sha256))


def age_file(
    session: Session, request_id: RequestId, thing_id: str, blobs: BlobStore
) -> Iterator[bytes]:
    """Return the bytes of one age file, piece by piece.

    Raises:
        FileUnknown: the release has no such file.
        BlobMissing: its payload is gone.
        OfferBroken: while it is read: the payload is damaged; what came is to be thrown away.
    """
    row = _header(session, request_id, thing_id)
    return _streamed(row.header, blobs, Sha256Hex(row.payload_sha256))


def image_archive(
    session: Session, request_id: RequestId, archive_sha256: str, blobs: BlobStore
) -> tuple[int, Iterator[bytes]]:
    """Return the size of an image's archive, and its bytes piece by piece.

    Raises:
        FileUnknown: no recovery kit that this release handed over needs it.
        BlobMissing: it is gone.
        OfferBroken: while it is read: it is damaged; what came is to be thrown away.
    """
    handed_over = [one.thing_id for one in vault.released_headers_of(session, request_id)]
    needed = {one.archive_sha256 for one in images_of_kits(session, handed_over)}
    if archive_sha256 not in needed:
        raise FileUnknown
    digest = Sha256Hex(archive_sha256)
    return blobs.size_bytes(digest), _streamed(b"", blobs, digest)


def _streamed(header: bytes, blobs: BlobStore, payload_sha256: Sha256Hex) -> Iterator[bytes]:
    digest, held = hashlib.sha256(), header
    with blobs.open(payload_sha256) as file:
        while piece := file.read(_PIECE_BYTES):
            yield held
            digest.update(piece)
            held = piece
    if digest.hexdigest() != payload_sha256:
        raise OfferBroken(f"the stored payload {payload_sha256[:16]} is damaged")
    yield held


def _header(session: Session, request_id: RequestId, thing_id: str) -> vault.ReleasedHeaderRow:
    row = vault.released_header(session, request_id, thing_id)
    if row is None:
        raise FileUnknown
    return row


def _packaged(
    session: Session, offered: OfferedDeposit, headers: Mapping[str, vault.ReleasedHeaderRow]
) -> PackagedDeposit:
    product = deposits.product_by_id(session, ProductId(offered.product_id))
    if product is None:
        raise OfferBroken(f"the product {offered.product_id} is gone")
    # Two products of one agreement have deposits of the same number.
    folder = f"{safe_name(product.slug)}/deposit-{offered.number}"
    files = []
    for part in offered.parts:
        header = headers.get(part.part_id)
        row = deposits.part_by_id(session, PartId(part.part_id))
        if header is None or row is None or row.payload_sha256 != part.payload_sha256:
            # One that its vendor sealed to another key than he said got no header.
            may_lack_header = header is None and row is not None and row.client_agreement_id
            if part.opens and not may_lack_header:
                raise OfferBroken(f"part {part.part_id} is not the one that was offered")
            continue
        name = f"{folder}/{part_path(row.kind, row.name)}"
        files.append(_file(row, header, name, f"{row.kind}/{row.name}", row.media))
    for one in vault.documents_of(session, DepositId(offered.deposit_id)):
        if one.id in headers:
            name = f"{folder}/documents/{safe_name(one.kind)}-{safe_name(one.id)[-8:]}"
            original = f"document/{one.kind}"
            files.append(_file(one, headers[one.id], name, original, one.media_type))
    handed_over = [one.id for one in files]
    return PackagedDeposit(
        offered.deposit_id,
        product.slug,
        offered.number,
        offered.sealed_at,
        offered.verdict,
        tuple(files),
        tuple(_image(one) for one in images_of_kits(session, handed_over)),
    )


def _file(
    row: deposits.Part | vault.DocumentRow,
    header: vault.ReleasedHeaderRow,
    name: str,
    original: str,
    media: str,
) -> PackageFile:
    is_client_sealed = isinstance(row, deposits.Part) and row.client_agreement_id is not None
    return PackageFile(
        id=row.id,
        path=f"{name}{'.zst' if row.encoding == 'zstd' else ''}.age",
        opened_path=name,
        sha256=None if is_client_sealed else row.sha256,
        size_bytes=None if is_client_sealed else row.size_bytes,
        encoding=row.encoding,
        age_size_bytes=len(header.header) + row.payload_size_bytes,
        media=media,
        original=original,
    )


def _image(row: BuilderImageRow) -> PackageImage:
    return PackageImage(
        image_id=row.image_id,
        name=row.name,
        path=row.file,
        opened_path=row.file.removesuffix(".zst"),
        sha256=row.tar_sha256,
        size_bytes=row.tar_size_bytes,
        archive_sha256=row.archive_sha256,
        archive_size_bytes=row.archive_size_bytes,
    )


def package_index(
    offer: Offer, found: list[PackagedDeposit], certificate: Mapping[str, Any] | None
) -> dict[str, object]:
    """Return the document that lists a package."""
    return {
        "request_id": offer.request_id,
        "agreement_id": offer.agreement_id,
        "bundle": list(offer.bundle),
        "last_verified": list(offer.last_verified),
        "last_before_filing": list(offer.last_before_filing),
        "not_opened": list(offer.not_handed_over(file.id for one in found for file in one.files)),
        "deposits": described(found),
        "certificate": certificate,
    }
