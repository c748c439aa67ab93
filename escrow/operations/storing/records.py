"""Every payload that any room's tables name; read by the storage's loop and by the scrub."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from escrow.deposits.records import Part
from escrow.endings.letting_go import LetGo
from escrow.ground.database import Session
from escrow.ground.digests import Sha256Hex
from escrow.vault.records import DocumentRow
from escrow.vault.shreds.records import DoomedPayloadRow
from escrow.vault.storage.inventory import Wanted
from escrow.vault.storage.records import PRIMARY, BlobCopyRow
from escrow.verification.records import BuilderImageRow

# A table whose rows name payloads, by digest and size. A room that stores payloads adds its own,
# or they have no second copy and no scrub.
_NAMING: tuple[tuple[Any, Any], ...] = (
    (Part.payload_sha256, Part.payload_size_bytes),
    (DocumentRow.payload_sha256, DocumentRow.payload_size_bytes),
    (BuilderImageRow.archive_sha256, BuilderImageRow.archive_size_bytes),
)


class RoomsInventory:
    """What parts, documents and builder images name.

    Args:
        let_go: what the ledger says of payloads that are listed as doomed.
    """

    def __init__(self, let_go: LetGo) -> None:
        self._let_go = let_go

    def unnoted(self, session: Session, limit: int) -> Sequence[Wanted]:
        """Return payloads without a note in the primary; an indexed look for each row."""
        found: dict[str, int] = {}
        for digest, size in _NAMING:
            query = (
                sa.select(digest, size)
                .where(
                    ~sa.exists().where(
                        col(BlobCopyRow.sha256) == digest, col(BlobCopyRow.place) == PRIMARY
                    ),
                    # Its row stays when a deposit was withdrawn; its bytes must not come back.
                    ~sa.exists().where(col(DoomedPayloadRow.payload_sha256) == digest),
                )
                .limit(limit)
            )
            found.update((row[0], row[1]) for row in session.connection().execute(query))
        return [Wanted(Sha256Hex(one), size) for one, size in sorted(found.items())[:limit]]

    def wants(self, session: Session, sha256: Sha256Hex) -> bool:
        """Tell whether any row names a payload that is not to be destroyed."""
        if self.is_let_go(session, sha256):
            return False
        return any(
            session.connection().execute(sa.select(digest).where(digest == sha256).limit(1)).first()
            for digest, _ in _NAMING
        )

    def is_let_go(self, session: Session, sha256: str) -> bool:
        """Ask the ledger about what a row lists."""
        return self._let_go.has(session, sha256)
