"""Derived documents: sealed like parts, to a key of the product that the keyholder opens alone.

Whoever may read a document is decided above, by its disclosure class; here are only the keys. The
worker seals by itself, since it knows the recipient; the keyholder opens one file key at a time.
"""

from __future__ import annotations

from datetime import datetime

from escrow.ground.database import Session
from escrow.ground.identifiers import DocumentId, ProductId
from escrow.vault import records
from escrow.vault.age import (
    FileKey,
    HybridIdentity,
    new_hybrid_identity,
    open_header,
    parse_identity,
)
from escrow.vault.errors import DocumentMissing
from escrow.vault.keys import KeyManager

_AAD_LABEL = b"escrow-documents-identity/1\0"


def documents_recipient(
    session: Session, keys: KeyManager, product_id: ProductId, now: datetime
) -> str:
    """Return the recipient of a product's documents; the first call makes the key.

    Raises:
        UnwrapFailed: the row was changed.
    """
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
    # Not the row's word: whoever writes the database would have documents sealed to himself.
    return str(_identity(keys, row).recipient)


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
    return open_header(document.header, [_identity(keys, key)])


def _identity(keys: KeyManager, key: records.DocumentsKeyRow) -> HybridIdentity:
    aad = _aad(ProductId(key.product_id), key.epoch)
    identity = parse_identity(keys.unwrap(key.key_id, key.sealed_identity, aad).decode())
    if not isinstance(identity, HybridIdentity):
        raise DocumentMissing(
            f"The documents key of {key.product_id} is none of ours.", "Restore the table."
        )
    return identity


def _aad(product_id: ProductId, epoch: int) -> bytes:
    return _AAD_LABEL + f"{product_id}/{epoch}".encode()
