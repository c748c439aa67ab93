"""Read a tar from front to end, member by member.

``extractall`` and its filters are not used: they are absent in Debian 12's 3.11.2 and have been
passed by in later ones. Every member goes through :class:`Receiver`, which opens each folder from
its parent.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import IO, cast

from builders.inspector.bounds import CHUNK_BYTES
from builders.inspector.receiving import Receiver
from builders.inspector.unpacking import Damaged, Readable

_BLOCK_BYTES = 512


class _Watched:
    """Passes bytes on and remembers the last block, for a tar ends in zeros."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._last = b""

    def read(self, size: int) -> bytes:
        data = self._source.read(size)
        self._last = (self._last + data[-_BLOCK_BYTES:])[-_BLOCK_BYTES:]
        return data

    def check_ended(self) -> None:
        while data := self.read(CHUNK_BYTES):
            if data.strip(b"\0"):
                raise Damaged("there is a broken header, or data behind the end")
        if len(self._last) < _BLOCK_BYTES or self._last.strip(b"\0"):
            raise Damaged("the tar breaks off: its end is missing")


def receive_tar(source: Readable, receiver: Receiver) -> None:
    """Take every member of an uncompressed tar.

    Raises:
        Damaged: it breaks off or is no tar.
        Swollen, TooLarge: a bound is broken.
    """
    watched = _Watched(source)
    try:
        with tarfile.open(
            fileobj=cast("IO[bytes]", watched), mode="r|", errors="surrogateescape"
        ) as tar:
            for member in tar:
                _take(tar, member, receiver)
                tar.members = []  # type: ignore[attr-defined]  # else it keeps a million headers
        watched.check_ended()
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise Damaged(f"not a whole tar ({error})") from error


def _take(tar: tarfile.TarFile, member: tarfile.TarInfo, receiver: Receiver) -> None:
    name = _bytes(member.name)
    receiver.saw(float(member.mtime))
    if member.isreg():
        receiver.file(name, member.size, bool(member.mode & 0o111), _content(tar, member))
    elif member.isdir():
        receiver.folder(name)
    elif member.issym():
        receiver.link(name, _bytes(member.linkname))
    elif member.islnk():
        receiver.hard_link(name, _bytes(member.linkname))
    else:
        receiver.special(name, "device, pipe or unknown type")


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    file = tar.extractfile(member)
    while file is not None and (chunk := file.read(CHUNK_BYTES)):
        yield chunk


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
