"""The keyholder's own disk: its keys, its last checkpoint, what it was told at set-up."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from escrow.ground.errors import Unavailable
from escrow.ground.signatures import PublicKey, SigningKey
from escrow.operations.keyholder.wire import WORKER

KEYHOLDER: Final = "keyholder"


class NotPinned(Unavailable):
    """The keyholder was never told the service's keys, so it can trust no entry."""

    code = "keyholder.not-pinned"


@dataclass(frozen=True)
class Pinned:
    """What the keyholder was told about the service at set-up, by whoever owns the machine.

    Args:
        workers: each worker's age recipient, that file keys are sealed to for its verification, by
            the worker's name; ``worker`` is the first.
        roles: public keys of the roles whose entries it believes, its own left out; a further
            worker's under its name.
    """

    workers: dict[str, str]
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
        return cls({WORKER: document["worker_recipient"]}, roles)

    def to_json(self) -> str:
        """Return the file's text: of one machine, which has one worker."""
        document = {
            "worker_recipient": self.workers[WORKER],
            "roles": {name: str(key) for name, key in sorted(self.roles.items())},
        }
        return json.dumps(document, indent=2) + "\n"


class OwnDisk:
    """Files in the keyholder's folder; keys are made once, on first use, and never replaced."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.log_key = self._key("ledger-log")
        self.leaf_key = self._key("ledger-leaf")
        self.role_key = self._key(KEYHOLDER)

    @property
    def last_checkpoint(self) -> Path:
        """Where the sequencer keeps the newest checkpoint it signed."""
        return self._folder / "last-checkpoint"

    @property
    def last_witnessed(self) -> Path:
        """Where the newest checkpoint that a quorum of witnesses cosigned is remembered."""
        return self._folder / "last-witnessed"

    @property
    def heads(self) -> Path:
        """Where the newest entry of each agreement's stream is remembered."""
        return self._folder / "heads"

    @property
    def key_manager(self) -> Path:
        """The file key manager's folder."""
        return self._folder / "key-manager"

    @property
    def continuity(self) -> Path:
        """The continuity copies, which somebody replicates outside the operator's account."""
        return self.continuity_of(self._folder)

    @staticmethod
    def continuity_of(folder: Path) -> Path:
        """Return where the copies lie, for whoever reads no key."""
        return folder / "continuity"

    def public_keys(self) -> dict[str, str]:
        """Return the public halves, as they go into the trust root."""
        return {
            "log": str(self.log_key.public),
            "leaf": str(self.leaf_key.public),
            KEYHOLDER: str(self.role_key.public),
        }

    def _key(self, name: str) -> SigningKey:
        path = self._folder / f"{name}.pem"
        if not path.exists():
            SigningKey.generate().write(path, None)
            descriptor = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        return SigningKey.read(path, None)
