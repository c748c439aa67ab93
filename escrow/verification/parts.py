"""A part of a deposit as a value: what every module of this room knows of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

# Sealed and counted, and never opened in a test.
CREDENTIALS = "credentials"

# What a trial build cannot do without.
SOURCE = "source"


@dataclass(frozen=True)
class SealedPart:
    """A part as it lies sealed in the store, with the digests that its opening is checked against.

    Args:
        sha256: of the plaintext; of a client-sealed part, of the age file as it was received.
        payload_sha256: of the sealed bytes; their name in the store.
        as_of: when it was sent; for a carried part, the time of the deposit that it came with.
        carried_from: id of the part that was sent, when this one was not; not opened again.
        is_client_sealed: its vendor sealed it himself, so that nothing here can open it.
    """

    id: str
    kind: str
    name: str
    media: str
    size_bytes: int
    encoding: str
    sha256: str
    payload_sha256: str
    as_of: datetime
    carried_from: str | None = None
    git: Mapping[str, object] | None = None
    is_client_sealed: bool = False

    @property
    def label(self) -> str:
        """The part in sentences, in statements and to the builders; unique in its deposit."""
        return f"{self.kind}/{self.name}"

    @property
    def is_carried(self) -> bool:
        """Whether its bytes came with an earlier deposit."""
        return self.carried_from is not None

    @property
    def is_opened(self) -> bool:
        """Whether a verification opens it."""
        return not (self.is_carried or self.is_client_sealed or self.kind == CREDENTIALS)


@dataclass(frozen=True)
class DepositFacts:
    """A sealed deposit.

    Args:
        release_line: what a newer deposit must share to overtake this one; None: none can.
    """

    id: str
    number: int
    product_id: str
    sealed_at: datetime
    parts: tuple[SealedPart, ...]
    release_line: str | None = None
