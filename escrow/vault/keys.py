"""Key managers: keys that wrap small secrets and never leave; the port, and the one on files.

The port is what a cloud key service, a token or Vault's transit engine can do. What is wrapped
under a key is lost when the key is destroyed: that is how lanes close and deposits end.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from escrow.ground.clock import rfc3339
from escrow.ground.paths import sync_folder
from escrow.vault.errors import (
    BadKeyId,
    KeyDestroyed,
    KeyExists,
    KeyMissing,
    UnwrapFailed,
)

_FORMAT = "escrow-file-key/1"
BLOB_VERSION = b"\x01"
NONCE_BYTES = 12
TAG_BYTES = 16
# A key id is a file name, a path segment of a key service, and a log field.
_KEY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


class InsecureKeyManager(UserWarning):
    """A key manager keeps its keys where a copy of the disk holds them."""


@dataclass(frozen=True)
class KeyAccount:
    """What a key manager says of a key at one moment, for a certificate to repeat.

    Args:
        manager: which one it is, for people.
        versions: number of each version of a live key, and when it was made where that is known;
            empty when there is no live key.
        answer: its own word on the key, as it gave it.
    """

    manager: str
    versions: Mapping[int, datetime | None]
    answer: str


class KeyManager(Protocol):
    """Wraps and unwraps under keys that it alone holds.

    Every implementation authenticates ``aad`` and the key id; a destroyed key's id is never
    given to another key.
    """

    def create_key(self, key_id: str) -> None:
        """Make a key.

        Raises:
            BadKeyId: not 1 to 128 of letters, digits, '_', '.', '-'.
            KeyExists: there is one, or was one.
        """
        ...

    def has_key(self, key_id: str) -> bool:
        """Tell whether there is a live key of this id."""
        ...

    def wrap(self, key_id: str, plaintext: bytes, aad: bytes) -> bytes:
        """Return the plaintext sealed under the key, bound to ``aad``.

        Args:
            key_id: of a live key.
            plaintext: a small secret, at most 64 KiB.
            aad: has to be given again, byte for byte, to unwrap.

        Raises:
            KeyMissing, KeyDestroyed: no live key.
        """
        ...

    def unwrap(self, key_id: str, blob: bytes, aad: bytes) -> bytes:
        """Return what was wrapped.

        Raises:
            KeyMissing, KeyDestroyed: no live key.
            UnwrapFailed: blob, key id or ``aad`` is not as it was.
        """
        ...

    def destroy_key(self, key_id: str) -> None:
        """Destroy the key for ever; a second time changes nothing.

        Raises:
            KeyMissing: there never was one.
        """
        ...

    def account_of(self, key_id: str) -> KeyAccount:
        """Return what the manager says of a key, live or destroyed; it is asked anew."""
        ...


class FileKeyManager:
    """A :class:`KeyManager` with one file for each key, for one machine without a key service.

    Whoever copies the folder has the keys, and a backup of it outlives a destruction: hence the
    warning when one is made. AES-256-GCM with a random nonce: not more than 2^32 wraps for a key.

    Args:
        folder: made when absent; only its owner reads it.
    """

    def __init__(self, folder: Path) -> None:
        warnings.warn(
            f"Keys are kept in files under {folder.name}; a copy of the disk holds them.",
            InsecureKeyManager,
            stacklevel=2,
        )
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder

    def create_key(self, key_id: str) -> None:
        """Write a fresh key to a new file, durably."""
        path = self._path(key_id)
        if self._tombstone(key_id).exists():
            raise exists(key_id)
        key = base64.b64encode(AESGCM.generate_key(256)).decode()
        text = json.dumps({"format": _FORMAT, "key_id": key_id, "key": key})
        # Written aside and linked, so that a crash leaves no half key under the name.
        aside = self._folder / f".new-{secrets.token_hex(8)}"
        try:
            _write_new(aside, text.encode())
            os.link(aside, path)
        except FileExistsError:
            raise exists(key_id) from None
        finally:
            aside.unlink(missing_ok=True)
        sync_folder(self._folder)

    def has_key(self, key_id: str) -> bool:
        """Tell whether the key's file is there."""
        return self._path(key_id).exists()

    def wrap(self, key_id: str, plaintext: bytes, aad: bytes) -> bytes:
        """Return version, nonce, ciphertext and tag."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = self._cipher(key_id).encrypt(nonce, plaintext, bound(key_id, aad))
        return BLOB_VERSION + nonce + sealed

    def unwrap(self, key_id: str, blob: bytes, aad: bytes) -> bytes:
        """Return the plaintext when tag, key id and ``aad`` hold."""
        cipher = self._cipher(key_id)
        nonce, sealed = blob[1 : 1 + NONCE_BYTES], blob[1 + NONCE_BYTES :]
        try:
            if blob[:1] != BLOB_VERSION or len(sealed) < TAG_BYTES:
                raise InvalidTag
            return cipher.decrypt(nonce, sealed, bound(key_id, aad))
        except InvalidTag:
            raise UnwrapFailed.of_record() from None

    def destroy_key(self, key_id: str) -> None:
        """Leave a tombstone, overwrite the key's file and unlink it, durably.

        The tombstone comes first: a crash in between leaves a key that is refused already.
        Overwriting cannot reach copies that the disk or a backup made (threat model).
        """
        path, tombstone = self._path(key_id), self._tombstone(key_id)
        if not path.exists() and not tombstone.exists():
            raise missing(key_id)
        tombstone.touch(mode=0o600)
        sync_folder(self._folder)
        if path.exists():
            with path.open("r+b") as file:
                file.write(secrets.token_bytes(path.stat().st_size))
                file.flush()
                os.fsync(file.fileno())
            path.unlink()
        sync_folder(self._folder)

    def account_of(self, key_id: str) -> KeyAccount:
        """Return which of the key's two files are there."""
        path, tombstone = self._path(key_id), self._tombstone(key_id)
        is_live = path.exists() and not tombstone.exists()
        words = [
            f"{one.name} of {rfc3339(_made_at(one))}" if one.exists() else f"no {one.name}"
            for one in (path, tombstone)
        ]
        versions = {1: _made_at(path)} if is_live else {}
        return KeyAccount("key files of this service", versions, ", ".join(words))

    def _cipher(self, key_id: str) -> AESGCM:
        path = self._path(key_id)
        if self._tombstone(key_id).exists():
            raise destroyed(key_id)
        try:
            content = json.loads(path.read_bytes())
            return AESGCM(base64.b64decode(content["key"], validate=True))
        except FileNotFoundError:
            raise missing(key_id) from None
        except (ValueError, KeyError, TypeError):
            raise UnwrapFailed(
                f"The file of key {key_id} is damaged.", "Restore it from the continuity copy."
            ) from None

    def _path(self, key_id: str) -> Path:
        check_key_id(key_id)
        return self._folder / f"{key_id}.key"

    def _tombstone(self, key_id: str) -> Path:
        return self._path(key_id).with_suffix(".destroyed")


def check_key_id(key_id: str) -> None:
    """Return when the text can name a key.

    Raises:
        BadKeyId: it cannot.
    """
    if not _KEY_ID.fullmatch(key_id):
        raise BadKeyId(
            f"{key_id[:60]!r} cannot name a key.",
            "Use 1 to 128 letters, digits, '_', '.', '-', beginning with a letter or digit.",
        )


def bound(key_id: str, aad: bytes) -> bytes:
    """Return what is authenticated beside a record: its key and where it belongs."""
    return key_id.encode() + b"\0" + aad


def _made_at(path: Path) -> datetime:
    # Nobody writes into a key's file or its tombstone after it was made.
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _write_new(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def exists(key_id: str) -> KeyExists:
    """Return the error for an id that is or was taken."""
    return KeyExists(f"A key {key_id} exists or existed.", "Use a new id; keys are never replaced.")


def destroyed(key_id: str) -> KeyDestroyed:
    """Return the error for a key that is no more."""
    return KeyDestroyed(
        f"The key {key_id} was destroyed.", "Nothing that it wrapped can be opened again."
    )


def missing(key_id: str) -> KeyMissing:
    """Return the error for an id that no key has."""
    return KeyMissing(f"There is no key {key_id}.", "Check which key manager is configured.")
