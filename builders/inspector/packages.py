"""Read the source files of a wheel or an npm package, within bounds.

What is over a bound is not read, and then nothing is said of the package: a build that made it is
not to be counted against for our limits.
"""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, cast

from builders.inspector.bounds import (
    CHUNK_BYTES,
    PACKAGE_FILES_MAX,
    PACKAGE_NAME_CHARACTERS_MAX,
    PACKAGE_PATHS_BYTES_MAX,
    PACKAGE_SOURCE_BYTES_MAX,
    PACKAGES_BYTES_MAX,
    SOURCE_FILE_BYTES_MAX,
)
from builders.inspector.unpacking import Damaged, Decompressed, Readable

_PLAIN_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_NPM_FOLDER = "package/"


class NotRead(Exception):
    """It is no package, is damaged, or is over a bound."""


class Allowance:
    """What may be read of all the packages that one build left."""

    def __init__(self) -> None:
        self._left_bytes = PACKAGES_BYTES_MAX

    def spend(self, size_bytes: int) -> None:
        """Take a part of it.

        Raises:
            NotRead: it is used up.
        """
        self._left_bytes -= size_bytes
        if self._left_bytes < 0:
            raise NotRead


@dataclass
class Package:
    """The files of a package. ``texts`` has those that were read; ``names`` has all."""

    names: set[str] = field(default_factory=set)
    texts: dict[str, str] = field(default_factory=dict)
    source_bytes: int = 0
    path_bytes: int = 0

    def take(self, name: str, size: int, wanted: bool, read: Callable[[int], bytes]) -> None:
        """Take one file, and its text where that is wanted and of an ordinary size.

        Raises:
            NotRead: there are too many, or a name is too long.
        """
        if len(self.names) >= PACKAGE_FILES_MAX or len(name) > PACKAGE_NAME_CHARACTERS_MAX:
            raise NotRead
        self.path_bytes += len(name) * (1 + name.count("/") + name.count("."))
        if self.path_bytes > PACKAGE_PATHS_BYTES_MAX:
            raise NotRead
        self.names.add(name)
        if wanted and size <= SOURCE_FILE_BYTES_MAX:
            self.source_bytes += size
            if self.source_bytes > PACKAGE_SOURCE_BYTES_MAX:
                raise NotRead
            self.texts[name] = read(size).decode("utf-8", "replace")


def read_wheel(path: bytes, allowance: Allowance, wanted: Callable[[str], bool]) -> Package:
    """Return a wheel's files by the names that they are installed under.

    Raises:
        NotRead: see there.
    """
    package = Package()
    try:
        with zipfile.ZipFile(path.decode()) as archive:
            for member in archive.infolist():
                take = wanted(member.filename) and member.compress_type in _PLAIN_METHODS
                allowance.spend(min(member.file_size, SOURCE_FILE_BYTES_MAX) if take else 0)
                content = _Member(archive, member)
                package.take(_installed(member.filename), member.file_size, take, content.read)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        raise NotRead from error
    return package


class _Member:
    """One file of a zip, opened when it is read and never beyond its declared size."""

    def __init__(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
        self._archive, self._member = archive, member

    def read(self, size: int) -> bytes:
        with self._archive.open(self._member) as file:
            return file.read(size)


def _installed(name: str) -> str:
    """Return where a file of a wheel goes: what lies in two of its data folders goes beside."""
    folder, _, rest = name.partition("/")
    scheme, _, inner = rest.partition("/")
    return inner if folder.endswith(".data") and scheme in ("purelib", "platlib") else name


def read_npm_package(path: bytes, allowance: Allowance, wanted: Callable[[str], bool]) -> Package:
    """Return the files of an npm package, by names relative to its folder.

    Raises:
        NotRead: see there.
    """
    package = Package()
    try:
        with open(path, "rb") as file:
            source = cast("IO[bytes]", _Counted(Decompressed(file, "gz"), allowance))
            with tarfile.open(fileobj=source, mode="r|", errors="surrogateescape") as archive:
                for member in _members(archive):
                    name = member.name.removeprefix(_NPM_FOLDER)
                    content = archive.extractfile(member)
                    if content is not None and name != member.name:
                        package.take(name, member.size, wanted(name), content.read)
    except (tarfile.TarError, Damaged, lzma.LZMAError, EOFError, OSError, ValueError) as error:
        raise NotRead from error
    return package


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for member in archive:
        archive.members = []  # type: ignore[attr-defined]  # else it keeps every header
        if member.isreg():
            yield member


class _Counted:
    """Passes a stream on, as far as the allowance goes: a header may ask for any size."""

    def __init__(self, source: Readable, allowance: Allowance) -> None:
        self._source, self._allowance = source, allowance

    def read(self, size: int) -> bytes:
        pieces = []
        while size > 0 and (piece := self._source.read(min(size, CHUNK_BYTES))):
            self._allowance.spend(len(piece))
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)
