"""What an upload is asked to be, how far it is, and the right to write to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from escrow.deposits.drafts import PartDescription, SaidSeal
from escrow.deposits.errors import UploadTooLarge
from escrow.ground.identifiers import DepositId, UploadId
from escrow.vault.client_sealed import ClientSealedTaker
from escrow.vault.sealing import PayloadSealer

# Both take bytes as they come; the one seals them, the other stores what its vendor sealed.
Taker = PayloadSealer | ClientSealedTaker

# A whole disk image fits; a larger part is several parts.
MAX_UPLOAD_BYTES = 256 * 1024**3


@dataclass(frozen=True)
class UploadRequest:
    """What a client wants to send.

    Attributes:
        part: what it is.
        length: how many bytes it has.
        sha256: of the whole part, when the client knows it; checked at the end.
        said_seal: where he says that he sealed it himself.
    """

    part: PartDescription
    length: int
    sha256: str | None = None
    said_seal: SaidSeal | None = None


@dataclass(frozen=True)
class UploadState:
    """How far an upload is; the bytes before ``offset`` are safe."""

    id: UploadId
    deposit_id: DepositId
    offset: int
    length: int
    expires_at: datetime
    is_finished: bool


@dataclass
class UploadWriter:
    """The one request that writes to an upload now."""

    length: int
    _sealer: Taker

    @property
    def offset(self) -> int:
        """How many bytes were taken."""
        return self._sealer.received_bytes

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes that follow those before.

        Raises:
            UploadTooLarge: more than announced; none of this call's bytes were taken.
        """
        self.check_room(len(data))
        self._sealer.write(data)

    def write_from(self, source: BinaryIO) -> None:
        """Take everything that a file has; its size was checked before."""
        self._sealer.write_from(source)

    def check_room(self, size_bytes: int) -> None:
        """Refuse bytes beyond the announced length.

        Raises:
            UploadTooLarge: there would be more.
        """
        if self.offset + size_bytes > self.length:
            raise UploadTooLarge(
                f"More bytes came than the {self.length} announced.",
                "Start a new upload with the right length.",
            )
