"""The keyholder's own disk: its keys, its lanes, its last checkpoint; nobody else reads it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from escrow.ground.errors import Unavailable
from escrow.ground.paths import RootedPath
from escrow.ground.signatures import PublicKey, SigningKey


class NotPinned(Unavailable):
    """The keyholder was never told the service's keys, so it can trust no entry."""

    code = "keyholder.not-pinned"


@dataclass(frozen=True)
class Pinned:
    """What the keyholder was told about the service at set-up, by whoever owns the machine.

    Args:
        worker_recipient: the age recipient that file keys are sealed to for verification.
        roles: public keys of the roles whose entries it believes.
    """

    worker_recipient: str
    roles: dict[str, PublicKey]

    @classmethod
    def read(cls, path: Path) -> Pinned:
        """Return what stands in the file.

        Raises:
            NotPinned: there is none.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as problem:
            raise NotPinned(
                f"{path} cannot be read.", "Run 'escrow admin init' once on this machine."
            ) from problem
        roles = {name: PublicKey.parse(text) for name, text in document["roles"].items()}
        return cls(document["worker_recipient"], roles)


class OwnDisk:
    """Files in the keyholder's folder; keys are made once, on first use, and never replaced."""

    def __init__(self, folder: Path) -> None:
        self._root = RootedPath(folder)
        for name in ("lanes", "documents", "keys"):
            self._root.join(name).mkdir(exist_ok=True, mode=0o700)
        self.log_key = self._key("ledger-log")
        self.leaf_key = self._key("ledger-leaf")
        self.role_key = self._key("keyholder")

    @property
    def last_checkpoint(self) -> Path:
        """Where the sequencer keeps the newest checkpoint it signed."""
        return self._root.join("last-checkpoint")

    @property
    def key_manager(self) -> Path:
        """The file key manager's folder."""
        return self._root.join("keys", "manager")

    def public_keys(self) -> dict[str, str]:
        """Return the public halves, as they go into the trust root."""
        return {
            "log": str(self.log_key.public),
            "leaf": str(self.leaf_key.public),
            "keyholder": str(self.role_key.public),
        }

    def keep(self, folder: str, name: str, content: bytes) -> None:
        """Write a file durably; an existing one stays as it is."""
        path = self._root.join(folder, name)
        if path.exists():
            return
        staged = path.with_name(f".{name}.new")
        descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        staged.rename(path)
        self._sync(path.parent)

    def recall(self, folder: str, name: str) -> bytes | None:
        """Return a file's content, or None when it is not (or no longer) there."""
        try:
            return self._root.join(folder, name).read_bytes()
        except FileNotFoundError:
            return None

    def destroy(self, folder: str, name: str) -> None:
        """Remove a file durably; safe to repeat."""
        path = self._root.join(folder, name)
        path.unlink(missing_ok=True)
        self._sync(path.parent)

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder, unfinished ones left out."""
        folder_path = self._root.join(folder)
        return sorted(path.name for path in folder_path.iterdir() if not path.name.startswith("."))

    def _key(self, name: str) -> SigningKey:
        path = self._root.join("keys", f"{name}.pem")
        if not path.exists():
            SigningKey.generate().write(path, None)
            self._sync(path.parent)
        return SigningKey.read(path, None)

    @staticmethod
    def _sync(folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
