"""Look into one file while it streams past: encrypted, broken off, or only a pointer?

A probe never keeps more than a head and a tail. It reports what it is sure of and nothing else.
"""

from __future__ import annotations

import lzma
import struct
from collections.abc import Mapping
from typing import Protocol

from builders.inspector import magic
from builders.inspector.bounds import PROBED_BYTES_MAX, TAIL_BYTES
from builders.inspector.unpacking import CODECS, Damaged, Decompressor

Seen = tuple[str, Mapping[str, object]]

_ZIP_ENCRYPTED = 0x0001
_ZIP_LOCAL_FLAGS = struct.Struct("<4xHH")
_ZIP_CENTRAL = b"PK\x01\x02"
_ZIP_END = b"PK\x05\x06"
_SEVEN_ZIP_START = struct.Struct("<6x2xIQQI")
_SEVEN_ZIP_START_BYTES = 32
# The coder id of 7zAES as 7-Zip writes it into the header.
_SEVEN_ZIP_AES = b"\x06\xf1\x07\x01"
# A 7z header of more than this holds some hundred thousand names.
_SEVEN_ZIP_HEADER_MAX = 16 * 1024 * 1024


class ProbeBudget:
    """Bytes that may still be decompressed only to look at them, over the whole deposit."""

    def __init__(self) -> None:
        self.left_bytes = PROBED_BYTES_MAX


class Probe(Protocol):
    """Sees one file from front to end."""

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""

    def finish(self) -> Seen | None:
        """Return what was seen: an observation's kind and facts."""


class _Told:
    """Known from the first bytes."""

    def __init__(self, seen: Seen | None) -> None:
        self._seen = seen

    def feed(self, chunk: bytes) -> None:
        """Nothing more is needed."""

    def finish(self) -> Seen | None:
        return self._seen


class _Compressed:
    """A gz, bz2 or xz file, decompressed to nowhere."""

    def __init__(self, name: str, budget: ProbeBudget) -> None:
        self._codec = Decompressor(name)
        self._budget = budget
        self._problem: str | None = None

    def feed(self, chunk: bytes) -> None:
        if self._problem is not None or self._budget.left_bytes <= 0:
            return
        try:
            for piece in self._codec.feed(chunk):
                self._budget.left_bytes -= len(piece)
                if self._budget.left_bytes <= 0:
                    return
        except Damaged as error:
            self._problem = str(error)

    def finish(self) -> Seen | None:
        if self._problem is None and self._budget.left_bytes > 0:
            try:
                self._codec.finish()
            except Damaged as error:
                self._problem = str(error)
        return None if self._problem is None else ("truncated", {"problem": self._problem})


class _Tail:
    """Keeps the last bytes of a file; the index of an archive stands there."""

    def __init__(self) -> None:
        self._head = b""
        self._tail = bytearray()

    def feed(self, chunk: bytes) -> None:
        if len(self._head) < magic.HEAD_BYTES:
            self._head += chunk[: magic.HEAD_BYTES]
        self._tail += chunk
        del self._tail[:-TAIL_BYTES]


class _Zip(_Tail):
    """A zip file, by its first member and its index."""

    def finish(self) -> Seen | None:
        end = self._tail.rfind(_ZIP_END)
        if end < 0:
            return "truncated", {"problem": "the index at the end of the zip file is missing"}
        if self._first_is_encrypted() or self._index_has_encrypted(end):
            return "encrypted", {"method": "zip"}
        return None

    def _first_is_encrypted(self) -> bool:
        if not self._head.startswith(b"PK\x03\x04") or len(self._head) < _ZIP_LOCAL_FLAGS.size:
            return False
        return bool(_ZIP_LOCAL_FLAGS.unpack_from(self._head)[1] & _ZIP_ENCRYPTED)

    def _index_has_encrypted(self, end: int) -> bool:
        at = self._tail.find(_ZIP_CENTRAL)
        while 0 <= at < end - 46:
            if self._tail[at + 8] & _ZIP_ENCRYPTED:
                return True
            lengths = struct.unpack_from("<HHH", self._tail, at + 28)
            following = at + 46 + sum(lengths)
            if self._tail[following : following + 4] == _ZIP_CENTRAL:
                at = following
            else:
                at = self._tail.find(_ZIP_CENTRAL, at + 4)
        return False


class _SevenZip(_Tail):
    """A 7z file, by the header at its end (7-Zip's DOC/7zFormat.txt)."""

    def __init__(self) -> None:
        super().__init__()
        self._size_bytes = 0

    def feed(self, chunk: bytes) -> None:
        super().feed(chunk)
        self._size_bytes += len(chunk)

    def finish(self) -> Seen | None:
        if len(self._head) < _SEVEN_ZIP_START_BYTES:
            return "truncated", {"problem": "the 7z file breaks off"}
        _, offset, size, _ = _SEVEN_ZIP_START.unpack_from(self._head)
        start = _SEVEN_ZIP_START_BYTES + offset
        if start + size > self._size_bytes:
            return "truncated", {"problem": "the 7z file breaks off before its header"}
        header = self._slice(start, size)
        if header is not None and (
            _SEVEN_ZIP_AES in header or _SEVEN_ZIP_AES in self._decoded(header)
        ):
            return "encrypted", {"method": "7z"}
        return None

    def _slice(self, start: int, size: int) -> bytes | None:
        first = self._size_bytes - len(self._tail)
        return bytes(self._tail[start - first : start - first + size]) if start >= first else None

    def _decoded(self, header: bytes) -> bytes:
        """Return a compressed header's content, where it is as simple as archivers write it."""
        if header[:1] != b"\x17":
            return b""
        try:
            position, at = _seven_zip_number(header, 2)
            _, at = _seven_zip_number(header, at)
            packed, _ = _seven_zip_number(header, at + 1)
            filters = [_header_filter(header)]
            body = self._slice(_SEVEN_ZIP_START_BYTES + position, packed)
            opened = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)
            return opened.decompress(body or b"", _SEVEN_ZIP_HEADER_MAX)
        except (lzma.LZMAError, IndexError, ValueError, EOFError, MemoryError, struct.error):
            return b""


def _seven_zip_number(data: bytes, at: int) -> tuple[int, int]:
    """Return a 7z variable-length number and the place behind it."""
    first, value, mask = data[at], 0, 0x80
    for index in range(8):
        if not first & mask:
            return value | (first & (mask - 1)) << (8 * index), at + 1 + index
        value |= data[at + 1 + index] << (8 * index)
        mask >>= 1
    return value, at + 9


def _header_filter(header: bytes) -> dict[str, int]:
    """Return how a header is compressed: LZMA by 7-Zip, LZMA2 by others."""
    at = header.find(b"\x21\x21\x01")  # the coder id of LZMA2, one byte of properties
    if at >= 0:
        return {"id": lzma.FILTER_LZMA2, "dict_size": _SEVEN_ZIP_HEADER_MAX}
    at = header.find(b"\x23\x03\x01\x01\x05")  # the coder id of LZMA, 5 bytes of properties
    if at < 0:
        raise ValueError("compressed in another way")
    return _lzma_filter(header[at + 5 : at + 10])


def _lzma_filter(properties: bytes) -> dict[str, int]:
    packed, dictionary = struct.unpack("<BI", properties)
    rest, lc = divmod(packed, 9)
    pb, lp = divmod(rest, 5)
    # A forged dictionary size would be allocated at once.
    size = min(dictionary, _SEVEN_ZIP_HEADER_MAX)
    return {"id": lzma.FILTER_LZMA1, "dict_size": size, "lc": lc, "lp": lp, "pb": pb}


def probe_for(head: bytes, size_bytes: int, name: bytes, budget: ProbeBudget) -> Probe | None:
    """Return the probe for a file that begins like this; None when there is nothing to see."""
    if (method := magic.encryption(head, name)) is not None:
        return _Told(("encrypted", {"method": method}))
    if size_bytes <= len(head) and (pointer := magic.lfs_pointer(head)) is not None:
        return _Told(("lfs-pointer", {"oid": pointer[0], "size_bytes": pointer[1]}))
    kind = magic.container(head)
    if kind in CODECS:
        return _Compressed(kind, budget)
    if kind == "zip":
        return _Zip()
    return _SevenZip() if kind == "7z" else None
