"""Read a zip file from disk, member by member."""

from __future__ import annotations

import calendar
import stat
import zipfile
import zlib
from collections.abc import Iterator

from builders.inspector.bounds import CHUNK_BYTES, MEMBERS_MAX, PATH_BYTES_MAX
from builders.inspector.receiving import Receiver, Swollen
from builders.inspector.unpacking import Damaged

_ENCRYPTED = 0x0001
_UNIX = 3
# Fixed part of a local file header (APPNOTE 4.3.7): members lie at least this far apart.
_LOCAL_HEADER_BYTES = 30


class ZipEncrypted(Exception):
    """Members of the zip file are encrypted."""


def receive_zip(path: bytes, receiver: Receiver) -> None:
    """Take every member of a zip file.

    Raises:
        Damaged: it breaks off or is no zip file.
        ZipEncrypted: a password is needed.
        Swollen, TooLarge: a bound is broken.
    """
    try:
        with zipfile.ZipFile(path.decode()) as archive:
            members = archive.infolist()
            _check_listing(members)
            for member in members:
                _take(archive, member, receiver)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise Damaged(f"not a whole zip file ({error})") from error


def _check_listing(members: list[zipfile.ZipInfo]) -> None:
    if len(members) > MEMBERS_MAX:
        raise Swollen(f"it holds more than {MEMBERS_MAX} members")
    if any(member.flag_bits & _ENCRYPTED for member in members):
        raise ZipEncrypted
    end = 0
    for member in sorted(members, key=lambda member: member.header_offset):
        # Members over one another are the quine and the 'better zip bomb' (CVE-2024-0450).
        if member.header_offset < end:
            raise Swollen("its members overlap")
        end = member.header_offset + _LOCAL_HEADER_BYTES + member.compress_size


def _take(archive: zipfile.ZipFile, member: zipfile.ZipInfo, receiver: Receiver) -> None:
    name = member.filename.encode("utf-8", "surrogateescape")
    mode = member.external_attr >> 16 if member.create_system == _UNIX else 0
    receiver.saw(_mtime(member))
    if member.is_dir():
        receiver.folder(name)
    elif stat.S_ISLNK(mode):
        with archive.open(member) as file:
            receiver.link(name, file.read(PATH_BYTES_MAX))
    elif stat.S_IFMT(mode) in (0, stat.S_IFREG):
        content = _content(archive, member)
        receiver.file(name, member.file_size, bool(mode & 0o111), content)
    else:
        receiver.special(name, "device, pipe or unknown type")


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(member) as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _mtime(member: zipfile.ZipInfo) -> float:
    try:
        return calendar.timegm((*member.date_time, 0, 0, 0))
    except (OverflowError, ValueError):
        return 0
