"""Where sealed payloads rest: immutable, named by the SHA-256 of their own bytes.

The port (:class:`BlobStore`, :class:`BlobStaging`) and the store on local files. A name appears
only when all of its bytes are on the disk, and never changes its bytes. The store does not
encrypt, and it trusts the digest it is given at :meth:`BlobStaging.commit`, because the sealer
took it while the bytes passed; :meth:`BlobStore.check` is the proof from the disk.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from escrow.ground.digests import Sha256Hex
from escrow.ground.paths import sync_folder
from escrow.vault.errors import (
    BadBlobName,
    BlobCorrupted,
    BlobMissing,
    BlobStoreUnavailable,
    StagingMissing,
)
from escrow.vault.files import make_folder, plain_file, store_errors, whole_of

BytesLike = bytes | bytearray | memoryview

# Written bytes are handed to the disk this often, so that the last fsync has little left to do:
# 1 GiB with one fsync at the end took 0.48 s here, with this 0.28 s.
_WRITE_BEHIND_BYTES = 16 * 1024 * 1024
_NAME = re.compile(r"[0-9a-f]{64}")


class BlobStaging(Protocol):
    """Bytes on their way into the store; invisible until committed.

    Pre-state: made by :meth:`BlobStore.stage` or :meth:`BlobStore.reopen`. Post-state: after
    :meth:`commit`, :meth:`close` or :meth:`discard` nothing but :attr:`name` may be used.
    """

    @property
    def name(self) -> str:
        """Names the staging for :meth:`BlobStore.reopen`, also after a restart."""
        ...

    @property
    def size_bytes(self) -> int:
        """How many bytes were appended."""
        ...

    def append(self, data: BytesLike) -> None:
        """Add bytes at the end.

        Raises:
            BlobStoreUnavailable: not all were taken; how many is told by a fresh ``size_bytes``.
        """
        ...

    def sync(self) -> None:
        """Return when every appended byte would survive a power cut."""
        ...

    def open_reading(self) -> BinaryIO:
        """Return the bytes appended so far, from the start."""
        ...

    def commit(self, sha256: Sha256Hex) -> None:
        """Make the bytes durable under their digest; a second blob of one name changes nothing.

        Args:
            sha256: of exactly the appended bytes; the caller took it while they passed.
        """
        ...

    def close(self) -> None:
        """Leave the bytes for :meth:`BlobStore.reopen`; may be called twice."""
        ...

    def discard(self) -> None:
        """Forget the bytes; may be called twice, and after a crash by the sweep."""
        ...


class BlobStore(Protocol):
    """Immutable blobs by digest."""

    def stage(self) -> BlobStaging:
        """Begin a new blob."""
        ...

    def reopen(self, name: str) -> BlobStaging:
        """Return the staging that an interrupted process left.

        Raises:
            StagingMissing: none of that name.
        """
        ...

    def open(self, sha256: Sha256Hex) -> BinaryIO:
        """Return the blob's bytes; the reader checks them (``open_payload`` does).

        Raises:
            BlobMissing: nothing is stored under the digest.
        """
        ...

    def exists(self, sha256: Sha256Hex) -> bool:
        """Tell whether a blob is stored under the digest."""
        ...

    def size_bytes(self, sha256: Sha256Hex) -> int:
        """Return the size of a blob.

        Raises:
            BlobMissing: nothing is stored under the digest.
        """
        ...

    def check(self, sha256: Sha256Hex) -> None:
        """Read the whole blob and return when its bytes have its name.

        Raises:
            BlobMissing: nothing is stored under the digest.
            BlobCorrupted: something else is.
        """
        ...

    def names(self) -> Iterator[Sha256Hex]:
        """Yield the name of every blob, in order; one that comes meanwhile may be left out."""
        ...

    def set_aside(self, sha256: Sha256Hex) -> None:
        """Move a damaged blob away from its name, keeping its bytes for whoever looks into it.

        Only for the scrub, which has read it twice.

        Raises:
            BlobMissing: nothing is stored under the digest.
        """
        ...

    def delete(self, sha256: Sha256Hex) -> None:
        """Remove a blob whose headers are gone; one that is not there is no error.

        Raises:
            BlobLocked: a lock of the store keeps it, until the date that the error has.
        """
        ...

    def sweep_staging(self, keep: Collection[str] = ()) -> int:
        """Discard every staging but the named ones; return how many.

        Only for a start-up, when no other process of the installation is staging.
        """
        ...


class StagedInto(Protocol):
    """What a staging file is handed to at its end."""

    def take(self, path: Path, size_bytes: int, sha256: Sha256Hex) -> None:
        """Make a whole, durable file a blob, as put-if-absent; the file itself may stay."""
        ...


class FileStaging:
    """A :class:`BlobStaging` in one file of its own, for whichever store takes it."""

    def __init__(self, store: StagedInto, path: Path, descriptor: int) -> None:
        self._store = store
        self._path = path
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size
        self._handed_over = self._size

    @property
    def name(self) -> str:
        """The file's name in the staging folder."""
        return self._path.name

    @property
    def size_bytes(self) -> int:
        """How many bytes the file has."""
        return self._size

    def append(self, data: BytesLike) -> None:
        """Write the bytes at the end and let the disk begin with the older ones."""
        view = memoryview(data)
        with store_errors():
            while view:
                written = os.write(self._descriptor, view)
                self._size += written
                view = view[written:]
            if self._size - self._handed_over >= _WRITE_BEHIND_BYTES:
                # Starts the write-back of dirty pages without waiting for it (Linux).
                os.posix_fadvise(
                    self._descriptor,
                    self._handed_over,
                    self._size - self._handed_over,
                    os.POSIX_FADV_DONTNEED,
                )
                self._handed_over = self._size

    def sync(self) -> None:
        """Fsync the file."""
        with store_errors():
            os.fsync(self._descriptor)

    def open_reading(self) -> BinaryIO:
        """Open the staging file for reading."""
        return self._path.open("rb")

    def commit(self, sha256: Sha256Hex) -> None:
        """Fsync, have the store take the file under the digest, drop the staging name.

        A crash between any two of these leaves either no blob or the whole blob, and at most a
        staging file for the sweep.
        """
        with store_errors():
            os.fchmod(self._descriptor, 0o444)
            os.fsync(self._descriptor)
            self._store.take(self._path, self._size, sha256)
        self.discard()

    def close(self) -> None:
        """Close the file and leave it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def discard(self) -> None:
        """Close and unlink the staging file."""
        self.close()
        self._path.unlink(missing_ok=True)


class StagingFolder:
    """The staging files of one process.

    Args:
        folder: made when absent, with its parent's mode: a group may share what lies above.
        store: takes what is committed.
    """

    def __init__(self, folder: Path, store: StagedInto) -> None:
        self.folder = folder
        self._store = store
        make_folder(folder)
        sync_folder(folder.parent)

    def stage(self) -> FileStaging:
        """Begin a file with a random name."""
        path = self.folder / f"{secrets.token_hex(16)}.part"
        with store_errors():
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND
            return FileStaging(self._store, path, os.open(path, flags, 0o600))

    def reopen(self, name: str) -> FileStaging:
        """Open the staging file of that name for appending.

        Raises:
            StagingMissing: none of that name.
        """
        path = self.folder / name
        if path.name != name or not path.is_file():
            raise StagingMissing(
                "The stored beginning of this upload is gone.", "Start the upload anew."
            )
        with store_errors():
            return FileStaging(self._store, path, os.open(path, os.O_RDWR | os.O_APPEND))

    def sweep(self, keep: Collection[str] = ()) -> int:
        """Unlink the staging files that nobody will continue; return how many."""
        left = [path for path in self.folder.iterdir() if path.name not in keep]
        for path in left:
            path.unlink(missing_ok=True)
        return len(left)


class FileBlobStore:
    """A :class:`BlobStore` in a folder: ``objects/ab/cd/<sha256>`` and ``staging/``.

    Args:
        root: created when absent; on one file system, since staging is linked into place.
        staging: name of the staging folder; processes that share a store have one each, so that
            the sweep of one takes nothing from another.
        flat: ``payloads/<sha256>`` instead, the layout of a replica (docs/storage.md).
    """

    def __init__(self, root: Path, staging: str = "staging", *, flat: bool = False) -> None:
        self._objects = root / ("payloads" if flat else "objects")
        self._aside = root / "set-aside"
        self._flat = flat
        root.mkdir(parents=True, exist_ok=True)
        make_folder(self._objects)
        self._stagings = StagingFolder(root / staging, self)

    @property
    def _staging(self) -> Path:
        return self._stagings.folder

    def stage(self) -> FileStaging:
        """Begin a new blob in a file with a random name."""
        return self._stagings.stage()

    def reopen(self, name: str) -> FileStaging:
        """Open the staging file of that name for appending."""
        return self._stagings.reopen(name)

    def take(self, path: Path, size_bytes: int, sha256: Sha256Hex) -> None:
        """Link the file under the digest as put-if-absent, then fsync the folder."""
        with store_errors():
            target = self.prepare_place(sha256)
            try:
                os.link(path, target)
            except FileExistsError:
                # One of another size was damaged later; ours has just been hashed. With the same
                # size nothing is touched: which of two equals is kept does not matter, and a
                # damaged one is repaired by the scrub, which logs it.
                if target.stat().st_size != size_bytes:
                    path.replace(target)
            sync_folder(target.parent)

    def open(self, sha256: Sha256Hex) -> BinaryIO:
        """Open the blob's file, unbuffered: readers take large pieces."""
        with self._finding(sha256) as path:
            return plain_file(path, sha256)

    def exists(self, sha256: Sha256Hex) -> bool:
        """Tell whether the blob's file is there."""
        return self._path(sha256).is_file()

    def size_bytes(self, sha256: Sha256Hex) -> int:
        """Return the size of the blob's file."""
        with self._finding(sha256) as path:
            return path.stat().st_size

    def check(self, sha256: Sha256Hex) -> None:
        """Hash the blob's file and compare; a sector that cannot be read is damage too."""
        try:
            with store_errors():
                check_digest(self, sha256)
        except BlobStoreUnavailable as problem:
            if getattr(problem.__cause__, "errno", None) != errno.EIO:
                raise
            raise BlobCorrupted(
                f"The disk no longer gives the stored payload {sha256[:16]}….",
                "Restore it from a replica, and look at the disk.",
            ) from problem

    def names(self) -> Iterator[Sha256Hex]:
        """Walk through the folders, in order."""
        for path in sorted(self._objects.iterdir()) if self._flat else self._walked():
            if _NAME.fullmatch(path.name):
                yield Sha256Hex(path.name)

    def set_aside(self, sha256: Sha256Hex) -> None:
        """Rename the blob's file into ``set-aside/``; both folders are durable afterwards."""
        with self._finding(sha256) as path:
            make_folder(self._aside)
            path.rename(self._aside / f"{sha256}.{secrets.token_hex(4)}")
            for folder in (self._aside, self._aside.parent, path.parent):
                sync_folder(folder)

    def delete(self, sha256: Sha256Hex) -> None:
        """Unlink the blob's file, durably; files have no lock."""
        path = self._path(sha256)
        with store_errors():
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                sync_folder(path.parent)

    def sweep_staging(self, keep: Collection[str] = ()) -> int:
        """Unlink the staging files that nobody will continue."""
        return self._stagings.sweep(keep)

    def _walked(self) -> Iterator[Path]:
        for first in sorted(self._objects.iterdir()):
            for second in sorted(first.iterdir()):
                yield from sorted(second.iterdir())

    def prepare_place(self, sha256: Sha256Hex) -> Path:
        """Return the path of a blob, its folders made and themselves durable."""
        path = self._path(sha256)
        for folder in (path.parent.parent, path.parent):
            if not folder.is_dir():
                make_folder(folder)
                sync_folder(folder.parent)
        return path

    def _path(self, sha256: Sha256Hex) -> Path:
        check_name(sha256)
        if self._flat:
            return self._objects / sha256
        return self._objects / sha256[:2] / sha256[2:4] / sha256

    @contextmanager
    def _finding(self, sha256: Sha256Hex) -> Iterator[Path]:
        try:
            with store_errors():
                yield self._path(sha256)
        except FileNotFoundError:
            raise BlobMissing(
                f"No payload {sha256[:16]}… is stored.",
                "Restore it from a replica if the ledger names it.",
            ) from None


def check_name(sha256: str) -> None:
    """Return when a text can be a blob's name.

    Raises:
        BadBlobName: it cannot.
    """
    if not _NAME.fullmatch(sha256):
        raise BadBlobName(
            f"{str(sha256)[:80]!r} is not a SHA-256 digest.",
            "Give 64 lower-case hexadecimal digits.",
        )


def check_digest(store: BlobStore, sha256: Sha256Hex) -> None:
    """Read a whole blob of any store and return when its bytes have its name.

    Raises:
        BlobMissing: nothing is stored under the digest.
        BlobCorrupted: something else is.
        BlobStoreUnavailable: it could not be read.
    """
    digest = hashlib.sha256()
    with store.open(sha256) as file:
        for piece in whole_of(file):
            digest.update(piece)
    if digest.hexdigest() != sha256:
        raise BlobCorrupted(
            f"The stored payload {sha256[:16]}… no longer has its digest.",
            "Restore it from a replica; do not hand it over.",
        )
