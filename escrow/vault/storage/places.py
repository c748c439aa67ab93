"""A place where sealed things lie: a store for payloads and a shelf for header records."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from escrow.ground.paths import sync_folder
from escrow.vault.blobs import BlobStore
from escrow.vault.errors import BlobCorrupted
from escrow.vault.files import make_folder, plain_file, store_errors

# Two records for each epoch, 4 KiB each: a new one with every session of a hundred years fits.
MAX_DOCUMENT_BYTES: Final = 16 * 1024 * 1024


class Shelf(Protocol):
    """Small documents by path, which may be replaced whole and removed."""

    def put(self, path: str, content: bytes) -> None:
        """Return when the document is durable under its path; readers see the old or the new.

        Raises:
            BlobStoreUnavailable: it is not.
        """
        ...

    def get(self, path: str) -> bytes | None:
        """Return a document, None where there is none.

        One that is longer than ``MAX_DOCUMENT_BYTES`` is none of ours: a byte more than that comes.

        Raises:
            BlobStoreUnavailable: nobody could tell.
        """
        ...

    def remove(self, path: str) -> None:
        """Remove a document with every version of it; there may be none."""
        ...


class FileShelf:
    """A :class:`Shelf` in a folder.

    Args:
        root: holds the paths; made when absent.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True)

    def put(self, path: str, content: bytes) -> None:
        """Write a file beside it, fsync, rename, fsync the folder."""
        place = self._root / path
        with store_errors():
            self._make_way(place.parent)
            fresh = place.with_name(f"{place.name}.{secrets.token_hex(4)}.new")
            with fresh.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(place)
            sync_folder(place.parent)

    def get(self, path: str) -> bytes | None:
        """Read the file; what is no file is an empty one."""
        try:
            with store_errors(), plain_file(self._root / path, path) as file:
                return file.read(MAX_DOCUMENT_BYTES + 1)
        except FileNotFoundError:
            return None
        except BlobCorrupted:
            return b""

    def remove(self, path: str) -> None:
        """Unlink the file; the folder is durable afterwards."""
        place = self._root / path
        with store_errors():
            place.unlink(missing_ok=True)
            if place.parent.is_dir():
                sync_folder(place.parent)

    def _make_way(self, folder: Path) -> None:
        if folder == self._root or folder.is_dir():
            return
        self._make_way(folder.parent)
        make_folder(folder)
        sync_folder(folder.parent)


@dataclass(frozen=True)
class Place:
    """One copy of what is sealed; ``shelf`` is None where header records are rows alone."""

    name: str
    blobs: BlobStore
    shelf: Shelf | None = None
