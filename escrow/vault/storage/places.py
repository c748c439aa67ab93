"""A place where sealed things lie: a store for payloads and a shelf for header records."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from escrow.vault.blobs import BlobStore, make_folder, store_errors, sync_folder


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
        """Read the file."""
        try:
            with store_errors():
                return (self._root / path).read_bytes()
        except FileNotFoundError:
            return None

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
