"""Where sealed payloads rest: immutable, named by the SHA-256 of their own bytes.

The port (:class:`BlobStore`, :class:`BlobStaging`) and the store on local files. A name appears
only when all of its bytes are on the disk, and never changes its bytes. The store does not
encrypt, and it trusts the digest it is given at :meth:`BlobStaging.commit`, because the sealer
took it while the bytes passed; :meth:`BlobStore.check` is the proof from the disk.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from escrow.ground.digests import Sha256Hex
from escrow.vault.errors import (
    BadBlobName,
    BlobCorrupted,
    BlobMissing,
    BlobStoreUnavailable,
    StagingMissing,
)

BytesLike = bytes | bytearray | memoryview

# Written bytes are handed to the disk this often, so that the last fsync has little left to do:
# 1 GiB with one fsync at the end took 0.48 s here, with this 0.28 s.
_WRITE_BEHIND_BYTES = 16 * 1024 * 1024
_READ_BYTES = 1024 * 1024
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

    def sweep_staging(self, keep: Collection[str] = ()) -> int:
        """Discard every staging but the named ones; return how many.

        Only for a start-up, when no other process of the installation is staging.
        """
        ...


class FileStaging:
    """A :class:`BlobStaging` in one file of its own."""

    def __init__(self, store: FileBlobStore, path: Path, descriptor: int) -> None:
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
        with _store_errors():
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
        with _store_errors():
            os.fsync(self._descriptor)

    def open_reading(self) -> BinaryIO:
        """Open the staging file for reading."""
        return self._path.open("rb")

    def commit(self, sha256: Sha256Hex) -> None:
        """Fsync, link under the digest as put-if-absent, fsync the folder, drop the staging name.

        A crash between any two of these leaves either no blob or the whole blob, and at most a
        staging file for the sweep.
        """
        with _store_errors():
            os.fchmod(self._descriptor, 0o444)
            os.fsync(self._descriptor)
            target = self._store.prepare_place(sha256)
            try:
                os.link(self._path, target)
            except FileExistsError:
                self._replace_torn(target)
            _sync_folder(target.parent)
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

    def _replace_torn(self, target: Path) -> None:
        # A blob of this name and another size was damaged later; ours has just been hashed.
        # With the same size nothing is touched: which of two equals is kept does not matter,
        # and a damaged one is repaired by the scrub, which logs it.
        if target.stat().st_size != self._size:
            self._path.replace(target)


class FileBlobStore:
    """A :class:`BlobStore` in a folder: ``objects/ab/cd/<sha256>`` and ``staging/``.

    Args:
        root: created when absent; on one file system, since staging is linked into place.
        staging: name of the staging folder; processes that share a store have one each, so that
            the sweep of one takes nothing from another.
    """

    def __init__(self, root: Path, staging: str = "staging") -> None:
        self._objects = root / "objects"
        self._staging = root / staging
        root.mkdir(parents=True, exist_ok=True)
        for folder in (self._objects, self._staging):
            self._make(folder)
        _sync_folder(root)

    def stage(self) -> FileStaging:
        """Begin a new blob in a file with a random name."""
        path = self._staging / f"{secrets.token_hex(16)}.part"
        with _store_errors():
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND
            return FileStaging(self, path, os.open(path, flags, 0o600))

    def reopen(self, name: str) -> FileStaging:
        """Open the staging file of that name for appending."""
        path = self._staging / name
        if path.name != name or not path.is_file():
            raise StagingMissing(
                "The stored beginning of this upload is gone.", "Start the upload anew."
            )
        with _store_errors():
            return FileStaging(self, path, os.open(path, os.O_RDWR | os.O_APPEND))

    def open(self, sha256: Sha256Hex) -> BinaryIO:
        """Open the blob's file, unbuffered: readers take large pieces."""
        with self._finding(sha256) as path:
            return path.open("rb", buffering=0)

    def exists(self, sha256: Sha256Hex) -> bool:
        """Tell whether the blob's file is there."""
        return self._path(sha256).is_file()

    def size_bytes(self, sha256: Sha256Hex) -> int:
        """Return the size of the blob's file."""
        with self._finding(sha256) as path:
            return path.stat().st_size

    def check(self, sha256: Sha256Hex) -> None:
        """Hash the blob's file and compare."""
        digest = hashlib.sha256()
        with self.open(sha256) as file:
            while piece := file.read(_READ_BYTES):
                digest.update(piece)
        if digest.hexdigest() != sha256:
            raise BlobCorrupted(
                f"The stored payload {sha256[:16]}… no longer has its digest.",
                "Restore it from a replica; do not hand it over.",
            )

    def sweep_staging(self, keep: Collection[str] = ()) -> int:
        """Unlink the staging files that nobody will continue."""
        left = [path for path in self._staging.iterdir() if path.name not in keep]
        for path in left:
            path.unlink(missing_ok=True)
        return len(left)

    def prepare_place(self, sha256: Sha256Hex) -> Path:
        """Return the path of a blob, its folders made and themselves durable."""
        path = self._path(sha256)
        for folder in (path.parent.parent, path.parent):
            if not folder.is_dir():
                self._make(folder)
                _sync_folder(folder.parent)
        return path

    def _make(self, folder: Path) -> None:
        """Make a folder that whoever may write the root may write too: a group shares the store."""
        try:
            folder.mkdir()
        except FileExistsError:
            return
        folder.chmod(stat.S_IMODE(self._objects.parent.stat().st_mode))

    def _path(self, sha256: Sha256Hex) -> Path:
        if not _NAME.fullmatch(sha256):
            raise BadBlobName(
                f"{str(sha256)[:80]!r} is not a SHA-256 digest.",
                "Give 64 lower-case hexadecimal digits.",
            )
        return self._objects / sha256[:2] / sha256[2:4] / sha256

    @contextmanager
    def _finding(self, sha256: Sha256Hex) -> Iterator[Path]:
        try:
            with _store_errors():
                yield self._path(sha256)
        except FileNotFoundError:
            raise BlobMissing(
                f"No payload {sha256[:16]}… is stored.",
                "Restore it from a replica if the ledger names it.",
            ) from None


@contextmanager
def _store_errors() -> Iterator[None]:
    """Turn the system's errors into ours; absence stays what it is."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as problem:
        raise BlobStoreUnavailable(
            f"The payload store did not do its part ({problem.strerror}).",
            "Try again; if it stays, the operator has to look at the disk.",
        ) from problem


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
