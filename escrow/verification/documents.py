"""Derived documents: how they are written as bytes, sealed to the product, and opened again.

Guarantees: a document's plaintext goes straight into the sealer; it rests nowhere, except the
live log, which lies in scratch while the build runs. Sealing needs the product's public documents
recipient alone; only the keyholder gives a document's file key back, and the caller has decided
before who may read it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from builders.findings import Finding
from builders.orders import Inspection
from escrow.ground.database import Database
from escrow.ground.identifiers import DepositId, DocumentId, ProductId, new_id
from escrow.vault.age import FileKey, parse_recipient, wrap_file_key
from escrow.vault.blobs import BlobStore
from escrow.vault.keyholder import Keyholder
from escrow.vault.records import DocumentRow, document_by_id
from escrow.vault.sealing import PayloadSealer, SealedPayload, open_payload
from escrow.verification.errors import ReportNotFound
from escrow.verification.records import ReportRow

MANIFEST = "manifest"
FINDINGS = "findings"
LOG = "log"
REPORT = "report"
KIT = "kit"

MANIFEST_FORMAT = "escrow-manifest/1"
FINDINGS_FORMAT = "escrow-findings/1"

_MEDIA_TYPES = {
    MANIFEST: "application/json",
    FINDINGS: "application/json",
    LOG: "text/plain",
    REPORT: "application/json",
    KIT: "application/json",
}

_READ_BYTES = 1024 * 1024


@dataclass(frozen=True)
class SealedDocument:
    """A document that lies sealed in the store; its row is still to be written."""

    id: DocumentId
    kind: str
    disclosure_class: str
    header: bytes
    payload: SealedPayload

    def row(
        self, product_id: ProductId, deposit_id: DepositId, epoch: int, now: datetime
    ) -> DocumentRow:
        """Return the vault's row for it.

        Args:
            epoch: of the documents key that it was sealed to.
        """
        return DocumentRow(
            id=self.id,
            product_id=product_id,
            deposit_id=deposit_id,
            kind=self.kind,
            disclosure_class=self.disclosure_class,
            media_type=_MEDIA_TYPES[self.kind],
            header=self.header,
            documents_epoch=epoch,
            encoding=self.payload.encoding,
            sha256=self.payload.sha256,
            size_bytes=self.payload.size_bytes,
            payload_sha256=self.payload.payload_sha256,
            payload_size_bytes=self.payload.payload_size_bytes,
            created_at=now,
        )


def seal_document(
    store: BlobStore,
    recipient: str,
    kind: str,
    pieces: Iterable[bytes],
    disclosure_class: str = "vendor",
) -> SealedDocument:
    """Seal a document into the store.

    Args:
        recipient: the product's documents recipient, as the keyholder told it.
        pieces: the plaintext.

    Raises:
        BlobStoreUnavailable: nothing was stored.
    """
    file_key = FileKey.generate()
    sealer = PayloadSealer(store.stage(), file_key)
    try:
        for piece in pieces:
            sealer.write(piece)
        payload = sealer.finish()
    except BaseException:
        sealer.discard()
        raise
    header = wrap_file_key(file_key, [parse_recipient(recipient)])
    return SealedDocument(DocumentId(new_id("doc")), kind, disclosure_class, header, payload)


def open_sealed_document(
    store: BlobStore, keyholder: Keyholder, row: DocumentRow
) -> Iterator[bytes]:
    """Yield the plaintext of a document. Whether the reader may see it is decided before.

    Raises:
        BlobMissing, PayloadTampered, PayloadTruncated, PayloadDigestWrong: it is not whole.
    """
    file_key = FileKey(keyholder.open_document(DocumentId(row.id)))
    with store.open(row.payload_sha256) as blob:  # type: ignore[arg-type]
        yield from open_payload(blob, file_key, row.encoding, row)


def read_report(
    report: ReportRow, store: BlobStore, keyholder: Keyholder, database: Database
) -> dict[str, Any]:
    """Return a signed report as its reader gets it: whole, with the ledger's proof once there is.

    Raises:
        ReportNotFound: its sealed document is gone.
    """
    if report.document is not None:
        return dict(report.document)
    with database.reading() as session:
        sealed = document_by_id(session, DocumentId(report.document_id or ""))
    if sealed is None:
        raise ReportNotFound
    document: dict[str, Any] = json.loads(b"".join(open_sealed_document(store, keyholder, sealed)))
    return {**document, "ledger": report.proof}


def manifest_pieces(inspection: Inspection) -> Iterator[bytes]:
    """Yield the manifest: one JSON object with one line for each part and file.

    The same inspection gives the same bytes, so that the manifest's digest is its root.
    """
    yield f'{{"format":"{MANIFEST_FORMAT}","cut":{_json(inspection.entries_cut)},'.encode()
    yield b'"parts":[\n'
    yield from _lines(
        {
            "name": part.name,
            "kind": part.kind,
            "media": part.media,
            "files": part.files,
            "totalBytes": part.total_bytes,
            "swhid": part.root_swhid,
            "commit": part.commit,
        }
        for part in sorted(inspection.parts, key=lambda part: part.name)
    )
    yield b'],"entries":[\n'
    yield from _lines(
        [entry.part, entry.path, entry.mode, entry.size_bytes, entry.sha256, entry.swhid]
        for entry in sorted(inspection.entries, key=lambda entry: (entry.part, entry.path))
    )
    yield b"]}\n"


def findings_pieces(findings: Iterable[tuple[str, Finding]]) -> Iterator[bytes]:
    """Yield all findings in full: one JSON object with one line for each.

    Args:
        findings: pairs of agreement id (empty: whatever the agreement) and finding.
    """
    yield f'{{"format":"{FINDINGS_FORMAT}","findings":[\n'.encode()
    yield from _lines(
        {
            "agreement": agreement_id or None,
            "code": finding.code,
            "severity": finding.severity,
            "component": finding.component,
            "title": finding.type.title,
            "sentence": finding.sentence,
            "remedy": finding.remedy,
            "facts": dict(finding.facts),
        }
        for agreement_id, finding in findings
    )
    yield b"]}\n"


def file_pieces(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file."""
    with path.open("rb") as file:
        while piece := file.read(_READ_BYTES):
            yield piece


def _lines(values: Iterable[object]) -> Iterator[bytes]:
    # A megabyte at a time: a manifest has up to hundreds of thousands of lines.
    held: list[str] = []
    size = 0
    separator = ""
    for value in values:
        line = separator + _json(value)
        separator = ",\n"
        held.append(line)
        size += len(line)
        if size >= _READ_BYTES:
            yield "".join(held).encode("utf-8", "surrogatepass")
            held, size = [], 0
    yield ("".join(held) + "\n").encode("utf-8", "surrogatepass")


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
