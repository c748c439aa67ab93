"""Take compression off a stream, and say when it breaks off.

The standard library's tar reader ends silently where its input does; this reader raises instead.
"""

from __future__ import annotations

import bz2
import lzma
import subprocess
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Protocol

from builders.inspector.bounds import CHUNK_BYTES


class Damaged(Exception):
    """A stream breaks off, or is not what its first bytes say."""


class Readable(Protocol):
    """What is read from front to end."""

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes; none at the end."""


class _Codec(Protocol):
    """A decompressor of the standard library, with one way to ask for a bounded piece."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def piece(self, data: bytes) -> bytes: ...

    def needs_input(self) -> bool: ...


class _Zlib:
    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)
        self._was_full = False

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def piece(self, data: bytes) -> bytes:
        piece = self._inner.decompress(self._inner.unconsumed_tail + data, CHUNK_BYTES)
        self._was_full = len(piece) == CHUNK_BYTES
        return piece

    def needs_input(self) -> bool:
        return not self._was_full and not self._inner.unconsumed_tail


class _Block:
    def __init__(self, inner: bz2.BZ2Decompressor | lzma.LZMADecompressor) -> None:
        self._inner = inner

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def piece(self, data: bytes) -> bytes:
        return self._inner.decompress(data, CHUNK_BYTES)

    def needs_input(self) -> bool:
        return self._inner.needs_input


CODECS: dict[str, Callable[[], _Codec]] = {
    "gz": _Zlib,
    "bz2": lambda: _Block(bz2.BZ2Decompressor()),
    "xz": lambda: _Block(lzma.LZMADecompressor()),
}


class Decompressor:
    """One compressed stream, fed in pieces. Several members one after another are one stream."""

    def __init__(self, name: str) -> None:
        self._new = CODECS[name]
        self._codec = self._new()
        self._fresh = True

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what comes out of the next bytes, in pieces of bounded size.

        Raises:
            Damaged: the bytes are not of this format.
        """
        try:
            yield from self._feed(data)
        except (zlib.error, lzma.LZMAError, OSError, EOFError) as error:
            raise Damaged(f"not valid compressed data ({error})") from error

    def _feed(self, data: bytes) -> Iterator[bytes]:
        while True:
            if self._codec.eof:
                data = data.lstrip(b"\0")  # tapes and block devices pad with zeros
                if not data:
                    return
                self._codec = self._new()
            elif not data and self._codec.needs_input():
                return
            self._fresh = False
            piece = self._codec.piece(data)
            data = self._codec.unused_data if self._codec.eof else b""
            if piece:
                yield piece

    def finish(self) -> None:
        """Check that the stream ended where its format says.

        Raises:
            Damaged: it breaks off.
        """
        if not self._fresh and not self._codec.eof:
            raise Damaged("the compressed data breaks off")


class Decompressed:
    """A compressed stream as a readable one."""

    def __init__(self, source: Readable, name: str) -> None:
        self._source = source
        self._codec = Decompressor(name)
        self._pieces: Iterator[bytes] = iter(())
        self._buffer = bytearray()
        self._ended = False

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes, fewer only at the end.

        Raises:
            Damaged: the stream breaks off or is broken.
        """
        while len(self._buffer) < size and not self._ended:
            piece = next(self._pieces, None)
            if piece is not None:
                self._buffer += piece
                continue
            data = self._source.read(CHUNK_BYTES)
            self._pieces = self._codec.feed(data)
            if not data:
                self._codec.finish()
                self._ended = True
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data


class ZstdDecompressed:
    """A zstd stream, opened by the ``zstd`` program of the image: the library has no zstd."""

    def __init__(self, source: Readable) -> None:
        self._process = subprocess.Popen(
            ["zstd", "-dcq"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._output = _pipe(self._process.stdout)
        self._failure: list[BaseException] = []
        self._feeder = threading.Thread(target=self._feed, args=(source,), daemon=True)
        self._feeder.start()

    def _feed(self, source: Readable) -> None:
        try:
            with _pipe(self._process.stdin) as pipe:
                while data := source.read(CHUNK_BYTES):
                    pipe.write(data)
        except BrokenPipeError:
            return  # zstd refused what it got; its exit code says so
        except Exception as error:  # a thread cannot raise: the reader does it for us
            self._failure.append(error)

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes, fewer only at the end.

        Raises:
            Damaged: zstd says so.
        """
        data = self._output.read(size)
        if len(data) < size:
            self._feeder.join()
            if self._failure:
                raise self._failure[0]
            if self._process.wait() != 0:
                raise Damaged("not valid zstd data, or it breaks off")
        return data


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise Damaged("zstd has no pipe")
    return pipe
