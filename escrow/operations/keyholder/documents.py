"""Documents: the keyholder's keys for what is derived from deposits.

Who may read a document is decided before it is asked, by the agreement's disclosure classes.
"""

from __future__ import annotations

import base64

from escrow.ground.identifiers import DocumentId, ProductId
from escrow.operations.keyholder.grounds import Grounds
from escrow.vault import documents


class Documents:
    """The keyholder's dealings with derived documents."""

    def __init__(self, grounds: Grounds) -> None:
        self._on = grounds

    def documents_recipient(self, product_id: str) -> dict[str, str]:
        """Return the recipient of a product's documents, made the first time."""
        on = self._on
        with on.database.writing() as session:
            recipient = documents.documents_recipient(
                session, on.keys, ProductId(product_id), on.clock.now()
            )
        return {"recipient": recipient}

    def open_document(self, document_id: str) -> dict[str, str]:
        """Return the file key of a document."""
        with self._on.database.reading() as session:
            file_key = documents.open_document_key(session, self._on.keys, DocumentId(document_id))
        return {"file_key": base64.b64encode(file_key.raw).decode()}
