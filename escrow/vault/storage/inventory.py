"""What must be stored, as the rooms above the vault know it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from escrow.ground.database import Session
from escrow.ground.digests import Sha256Hex


@dataclass(frozen=True)
class Wanted:
    """A payload that a row of some room names."""

    sha256: Sha256Hex
    size_bytes: int


class Inventory(Protocol):
    """Every payload that any room names: parts, documents, images."""

    def unnoted(self, session: Session, limit: int) -> Sequence[Wanted]:
        """Return payloads of which the vault has no note in the primary yet."""
        ...

    def wants(self, session: Session, sha256: Sha256Hex) -> bool:
        """Tell whether any row names a payload that was not let go."""
        ...

    def is_let_go(self, session: Session, sha256: str) -> bool:
        """Tell whether the ledger bears out that a payload was shredded, as a row has it."""
        ...
