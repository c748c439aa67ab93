"""STREAM, the payload of an age file: 64 KiB chunks, each authentic, the last one marked.

Works on buffers that the caller owns, so that a payload of any size needs no memory of its own.
A chunk number never comes twice from one instance; that no *other* instance with the same key
repeats it with other bytes is the duty of whoever resumes (``escrow.vault.redo``).
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from escrow.vault.age_keys import FileKey
from escrow.vault.errors import PayloadTampered

CHUNK_BYTES = 64 * 1024
TAG_BYTES = 16
SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES
PAYLOAD_NONCE_BYTES = 16

# Last byte of each chunk's nonce (age.md, "Payload"): cut off behind a whole chunk, a payload would
# end in one that was not sealed as the last, and does not open.
_FINAL = b"\x01"
_NOT_FINAL = b"\x00"


class ChunkSealer:
    """Seals chunk after chunk of one payload; the next chunk number is always ``index``."""

    def __init__(self, file_key: FileKey, payload_nonce: bytes, index: int = 0) -> None:
        self._cipher = ChaCha20Poly1305(_payload_key(file_key, payload_nonce))
        self.index = index

    def seal_into(
        self, chunk: bytes | memoryview, sealed: memoryview, *, final: bool = False
    ) -> int:
        """Write the sealed chunk to the start of a buffer; return how many bytes it has.

        Args:
            chunk: exactly 64 KiB, or less for the final chunk.
            sealed: at least 16 bytes longer than the chunk.
            final: nothing follows; this instance is not to be used again.
        """
        nonce = self.index.to_bytes(11, "big") + (_FINAL if final else _NOT_FINAL)
        # Counted before the cipher runs: a call that fails leaves a gap, never a nonce used twice.
        # Eleven bytes of counter are not checked for overflow; 2^88 chunks are never reached.
        self.index += 1
        size = len(chunk) + TAG_BYTES
        return self._cipher.encrypt_into(nonce, chunk, None, sealed[:size])


class ChunkCutter:
    """Cuts a stream of bytes into sealed chunks, payload nonce first.

    Between calls it keeps back a tail of at most 64 KiB, because the chunk that turns out to be
    the last one is sealed differently. What a call gives depends only on key, nonce, ``index``,
    tail and data: the same call after a restart gives the same bytes.
    """

    def __init__(self, file_key: FileKey, payload_nonce: bytes, index: int = 0) -> None:
        self._sealer = ChunkSealer(file_key, payload_nonce, index)
        self._payload_nonce = payload_nonce
        self.tail = b""

    @property
    def index(self) -> int:
        """How many chunks were cut."""
        return self._sealer.index

    @staticmethod
    def room_for(size_bytes: int) -> int:
        """Return how large a buffer a call with so many new bytes may need."""
        chunks = size_bytes // CHUNK_BYTES + 2
        return PAYLOAD_NONCE_BYTES + chunks * SEALED_CHUNK_BYTES

    def cut(self, data: memoryview, sealed: memoryview, *, final: bool = False) -> int:
        """Write every chunk that is now certain to the buffer; return how many bytes.

        Args:
            data: what follows in the stream.
            sealed: at least :meth:`room_for` the data.
            final: nothing follows; the tail is sealed as the last chunk.
        """
        size = 0
        # Greater, not equal: a chunk that is just full may turn out to be the last, and an empty
        # last chunk after others is refused (age.md, "Payload").
        while len(self.tail) + len(data) > CHUNK_BYTES:
            taken = CHUNK_BYTES - len(self.tail)
            chunk = self.tail + data[:taken] if self.tail else data[:taken]
            size += self._seal(chunk, sealed[size:], final=False)
            self.tail, data = b"", data[taken:]
        self.tail += data
        if final:
            size += self._seal(self.tail, sealed[size:], final=True)
            self.tail = b""
        return size

    def _seal(self, chunk: bytes | memoryview, sealed: memoryview, *, final: bool) -> int:
        start = 0
        if self.index == 0:
            start = PAYLOAD_NONCE_BYTES
            sealed[:start] = self._payload_nonce
        return start + self._sealer.seal_into(chunk, sealed[start:], final=final)


class ChunkOpener:
    """Opens chunk after chunk of one payload, in order; yields nothing that is not authentic."""

    def __init__(self, file_key: FileKey, payload_nonce: bytes) -> None:
        self._cipher = ChaCha20Poly1305(_payload_key(file_key, payload_nonce))
        self.index = 0

    def open_into(
        self, unverified_chunk: memoryview, opened: memoryview, *, final: bool = False
    ) -> int:
        """Write the opened chunk to the start of a buffer; return how many bytes it has.

        Raises:
            PayloadTampered: the chunk was changed, moved, or is not (or is) the final one; or a
                final chunk is empty after others (age.md, "Payload").
        """
        size = len(unverified_chunk) - TAG_BYTES
        nonce = self.index.to_bytes(11, "big") + (_FINAL if final else _NOT_FINAL)
        if size < 0 or (final and size == 0 and self.index > 0):
            raise tampered(self.index)
        try:
            self._cipher.decrypt_into(nonce, unverified_chunk, None, opened[:size])
        except InvalidTag:
            raise tampered(self.index) from None
        self.index += 1
        return size


def sealed_size(chunk_count: int) -> int:
    """Return how many bytes nonce and so many whole chunks have; 0 for none."""
    return PAYLOAD_NONCE_BYTES + chunk_count * SEALED_CHUNK_BYTES if chunk_count else 0


def tampered(index: int) -> PayloadTampered:
    """Return the error for a chunk that does not authenticate at its place."""
    return PayloadTampered(
        f"A sealed payload does not authenticate at chunk {index}.",
        "Do not use what was opened; fetch the payload again or restore it from a replica.",
    )


def _payload_key(file_key: FileKey, payload_nonce: bytes) -> bytes:
    derive = HKDF(algorithm=SHA256(), length=32, salt=payload_nonce, info=b"payload")
    return derive.derive(file_key.raw)
