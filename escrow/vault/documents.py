"""Derived documents: sealed like parts, to a key of the product that the keyholder opens alone.

Whoever may read a document is decided above, by its disclosure class; here it is only sealed and
opened. The worker seals (it knows the recipient), the keyholder gives one file key at a time.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from escrow.ground.database import Session
from escrow.ground.identifiers import DocumentId, ProductId
from escrow.vault import records
from escrow.vault.age import (
    FileKey,
    new_hybrid_identity,
    open_header,
    parse_identity,
    parse_recipient,
    wrap_file_key,
)
from escrow.vault.blobs import BlobStore, BytesLike
from escrow.vault.errors import DocumentMissing
from escrow.vault.keys import KeyManager
from escrow.vault.sealing import PayloadSealer, SealedPayload

_AAD_LABEL = b"escrow-documents-identity/1\0"


def documents_recipient(
    session: Session, keys: KeyManager, product_id: ProductId, now: datetime
) -> str:
    """Return the recipient of a product's documents; the first call makes the key."""
    row = records.documents_key(session, product_id)
    if row is None:
        identity = new_hybrid_identity()
        key_id = f"documents-{product_id}"
        if not keys.has_key(key_id):
            keys.create_key(key_id)
        row = records.DocumentsKeyRow(
            product_id=product_id,
            epoch=1,
            recipient=str(identity.recipient),
            key_id=key_id,
            sealed_identity=keys.wrap(key_id, identity.reveal().encode(), _aad(product_id, 1)),
            created_at=now,
        )
        records.add(session, row)
    return row.recipient


def open_document_key(session: Session, keys: KeyManager, document_id: DocumentId) -> FileKey:
    """Return the file key of one document.

    Raises:
        DocumentMissing: none of this id.
        UnwrapFailed, HeaderForged, NoIdentityMatches: a row was changed.
    """
    document = records.document_by_id(session, document_id)
    if document is None:
        raise DocumentMissing(f"There is no document {document_id}.", "Check its id.")
    product_id = ProductId(document.product_id)
    key = records.documents_key_of_epoch(session, product_id, document.documents_epoch)
    if key is None:
        raise DocumentMissing(f"The key of document {document_id} is gone.", "Restore the table.")
    aad = _aad(product_id, key.epoch)
    identity = parse_identity(keys.unwrap(key.key_id, key.sealed_identity, aad).decode())
    return open_header(document.header, [identity])


def seal_to_store(
    store: BlobStore, recipient: str, pieces: Iterable[BytesLike]
) -> tuple[bytes, SealedPayload]:
    """Seal a stream of bytes to one recipient; return its header and what the manifest says.

    Raises:
        BadRecipient: not an age recipient.
        BlobStoreUnavailable: the store failed; nothing is left of it.
    """
    file_key = FileKey.generate()
    header = wrap_file_key(file_key, [parse_recipient(recipient)])
    sealer = PayloadSealer(store.stage(), file_key)
    try:
        for piece in pieces:
            sealer.write(piece)
        return header, sealer.finish()
    except BaseException:
        sealer.discard()
        raise


def _aad(product_id: ProductId, epoch: int) -> bytes:
    return _AAD_LABEL + f"{product_id}/{epoch}".encode()
