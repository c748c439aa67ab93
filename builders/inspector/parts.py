"""Take one part off standard input, by what it really is."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from builders.inspector import magic
from builders.inspector.bounds import CHUNK_BYTES
from builders.inspector.frames import PartStream
from builders.inspector.gitparts import committed_at, open_bundle, submodules
from builders.inspector.notes import Notes
from builders.inspector.places import Place
from builders.inspector.probes import ProbeBudget
from builders.inspector.reading import ContentReader
from builders.inspector.receiving import Receiver, Room, Swollen, TooLarge, spooled, unspool
from builders.inspector.swhid import FILE, Entry
from builders.inspector.tars import receive_tar
from builders.inspector.unpacking import (
    CODECS,
    Damaged,
    Decompressed,
    Readable,
    ZstdDecompressed,
)
from builders.inspector.zips import ZipEncrypted, receive_zip

PLAIN = "file"
_ARCHIVES = frozenset(("git-bundle", "tar", "zip"))
_TAR_COMPRESSIONS = frozenset((*CODECS, "zst"))
_CLOSED_FORMATS = frozenset(("7z", "rar"))


@dataclass
class Part:
    """One part: what the worker says of it, and what it turned out to be.

    ``place`` is where it belongs, relative to the root; ``stored`` whether it is written there at
    all: large data is only looked at while it streams past.
    """

    name: str
    kind: str
    media: str
    place: bytes
    stored: bool
    commit: str | None = None
    newest_mtime: int | None = None
    entries: tuple[Entry, ...] = ()
    submodules: tuple[Entry, ...] = ()

    @classmethod
    def of_header(cls, header: dict[str, Any]) -> Part:
        """Return the part that the worker's header announces."""
        return cls(
            name=str(header["name"]),
            kind=str(header["kind"]),
            media=str(header["media"]),
            place=str(header["place"]).encode(),
            stored=bool(header["store"]),
            commit=header.get("commit"),
        )


class Taker:
    """Takes the parts of one deposit into a root."""

    def __init__(self, root: bytes, notes: Notes, budget: ProbeBudget, room: Room) -> None:
        self._root, self._notes, self._budget, self._room = root, notes, budget, room
        self._spool = os.path.join(root, b".spool")

    def take(self, part: Part, stream: PartStream) -> None:
        """Take one part and read its stream to the end; what is wrong with it is noted."""
        part.media = self._format(part, stream)
        try:
            {
                "git-bundle": self._git,
                "zip": self._zip,
                "tar": self._tar,
                PLAIN: self._plain,
            }[part.media](part, stream)
        except ZipEncrypted:
            self._notes.add("encrypted-part", part.name, method="zip")
        except Damaged as error:
            self._notes.add("unreadable", part.name, media=part.media, problem=error)
        except Swollen as error:
            self._notes.add("bomb", part.name, problem=error)
        except TooLarge as error:
            self._notes.add("too-large", part.name, problem=error)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
                raise
            self._notes.add("too-large", part.name, problem="the workspace is full")
        for _ in stream.chunks(CHUNK_BYTES):
            continue

    def _format(self, part: Part, stream: PartStream) -> str:
        head = stream.peek(magic.HEAD_BYTES)
        found = magic.container(head)
        if magic.encryption(head, part.name.encode()) is not None or part.kind == "credentials":
            return PLAIN
        if found in _CLOSED_FORMATS and part.kind == "source":
            self._notes.add("not-opened", part.name, media=found)
        if part.media not in _ARCHIVES and part.kind != "source":
            return PLAIN
        if found in _TAR_COMPRESSIONS:
            return "tar"
        if found in _ARCHIVES:
            return str(found)
        return part.media if part.media in _ARCHIVES else PLAIN

    def _place(self, part: Part) -> bytes:
        return os.path.join(self._root, part.place)

    def _receiver(self, part: Part, taken_bytes: Callable[[], int]) -> Receiver:
        place = Place(self._place(part)) if part.stored else None
        return Receiver(part.name, place, self._notes, self._budget, self._room, taken_bytes)

    def _finish(self, part: Part, receiver: Receiver) -> None:
        part.entries = tuple(receiver.entries.values())
        part.newest_mtime = receiver.newest_mtime

    def _tar(self, part: Part, stream: PartStream) -> None:
        receiver = self._receiver(part, lambda: stream.taken_bytes)
        try:
            receive_tar(_decompressed(stream), receiver)
        finally:
            self._finish(part, receiver)

    def _zip(self, part: Part, stream: PartStream) -> None:
        size = spooled(stream.chunks(CHUNK_BYTES), self._spool, self._room)
        receiver = self._receiver(part, lambda: size)
        try:
            receive_zip(self._spool, receiver)
        finally:
            self._finish(part, receiver)
            unspool(self._spool, size, self._room)

    def _git(self, part: Part, stream: PartStream) -> None:
        size = spooled(stream.chunks(CHUNK_BYTES), self._spool, self._room)
        try:
            folder = self._place(part)
            os.makedirs(folder, exist_ok=True)
            part.commit = open_bundle(self._spool, folder, part.commit)
            part.newest_mtime = committed_at(folder)
            part.submodules = submodules(folder)
            part.stored = True
        finally:
            unspool(self._spool, size, self._room)

    def _plain(self, part: Part, stream: PartStream) -> None:
        name = part.name.replace("\\", "/").rpartition("/")[2].encode() or b"part"
        reader = ContentReader(self._notes, self._budget, part.name, name, None)
        if not part.stored:
            reader.drain(stream.chunks(CHUNK_BYTES))
            part.entries = (reader.entry(FILE),)
            return
        receiver = self._receiver(part, lambda: stream.taken_bytes)
        receiver.file(name, 0, False, stream.chunks(CHUNK_BYTES))


def _decompressed(stream: PartStream) -> Readable:
    found = magic.container(stream.peek(magic.HEAD_BYTES))
    if found == "zst":
        return ZstdDecompressed(stream)
    return Decompressed(stream, found) if found in CODECS else stream
