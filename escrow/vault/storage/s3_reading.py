"""Read an object of a bucket as a file: by ranges, bound to one version, going on after a cut."""

from __future__ import annotations

import io
from typing import Final

import obstore

from escrow.vault.errors import BlobStoreUnavailable
from escrow.vault.storage.s3_wire import Bucket, ObjectExists, ObjectMissing, asking

# Of 4 MiB a request costs little against the bytes; a reader holds one piece.
PIECE_BYTES: Final = 4 * 1024 * 1024
# On top of the client's own: a body that is cut off half way is no failed request to it.
MAX_CUTS: Final = 5


class ObjectReader(io.RawIOBase):
    """The bytes of one object; every piece is of the version whose ETag was seen first.

    Args:
        bucket: holds it.
        key: names it.
        size_bytes, etag: as the server told them.
    """

    def __init__(self, bucket: Bucket, key: str, size_bytes: int, etag: str | None) -> None:
        super().__init__()
        self._bucket, self._key, self._etag = bucket, key, etag
        self._size = size_bytes
        self._at = 0
        self._piece = memoryview(b"")
        self._piece_at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a place."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill a buffer from the piece at hand, fetching the next one where it ends.

        Raises:
            BlobStoreUnavailable: the server did not give it, or another version stands there now.
        """
        left = self._piece_at + len(self._piece) - self._at
        if not 0 < left <= len(self._piece):
            if self._at >= self._size:
                return 0
            self._fetch()
            left = len(self._piece)
        view = memoryview(buffer).cast("B")
        count = min(len(view), left)
        start = self._at - self._piece_at
        view[:count] = self._piece[start : start + count]
        self._at += count
        return count

    def _fetch(self) -> None:
        end = min(self._at + PIECE_BYTES, self._size)
        for cut in range(MAX_CUTS):
            try:
                self._piece = memoryview(self._asked(end)).cast("B")
            except BlobStoreUnavailable:
                if cut == MAX_CUTS - 1:
                    raise
            else:
                self._piece_at = self._at
                return

    def _asked(self, end: int) -> bytes:
        options: dict[str, object] = {"range": (self._at, end)}
        if self._etag:
            options["if_match"] = self._etag
        try:
            with asking(self._bucket):
                found = obstore.get(self._bucket.reading, self._key, options=options)  # type: ignore[arg-type]
                piece = bytes(found.bytes())
        except (ObjectMissing, ObjectExists) as problem:
            raise self._changed() from problem
        if len(piece) != end - self._at:
            raise self._changed()
        return piece

    def _changed(self) -> BlobStoreUnavailable:
        return BlobStoreUnavailable(
            f"An object of the bucket {self._bucket.name} changed while it was read.",
            "Read it again from its beginning.",
        )
