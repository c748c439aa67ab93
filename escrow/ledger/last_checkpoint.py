"""The keyholder's own memory of the log: the last checkpoint, in a file apart from the database.

Whoever can write the database can shorten it or put an older copy back; he cannot make this file
agree. It holds the last checkpoint known to be committed and the one that was about to be: a
process that dies between the two finds either in the database, and nothing else is accepted.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from escrow.ground.paths import sync_folder
from escrow.ground.signatures import PublicKey
from escrow.ledger.checkpoints import Checkpoint, verify_checkpoint
from escrow.ledger.errors import (
    HistoryGap,
    LastCheckpointLost,
    OtherHistory,
    ProofFails,
    RolledBack,
)

_FORMAT = "escrow-last-checkpoint/1"


@dataclass(frozen=True)
class Memory:
    """What the file says: the last committed checkpoint, and one that was being committed."""

    last: Checkpoint | None
    intended: Checkpoint | None


class LastCheckpoint:
    """The file; written in whole, synced, and renamed into place.

    Args:
        path: on the keyholder's own disk.
        log_key: what it holds must be signed by this key.
    """

    def __init__(self, path: Path, log_key: PublicKey) -> None:
        self._path = path
        self._log_key = log_key

    def check_head(self, head: Checkpoint | None) -> None:
        """Return when the database's newest checkpoint is the one that we remember.

        Args:
            head: the newest checkpoint of the database, verified; None when it has none.

        Raises:
            LastCheckpointLost: there is a ledger, but no (readable) memory of it.
            RolledBack, HistoryGap, OtherHistory: the ledger is not the one we signed last.
        """
        memory = self._read()
        if memory is None:
            if head is not None:
                raise LastCheckpointLost(
                    f"The database has a ledger, but {self._path.name} is missing.",
                    "Restore the file from the keyholder's backup, or adopt the ledger's newest "
                    "checkpoint after comparing it with one that a party holds.",
                )
            self._write(Memory(None, None))
            return
        check_remembered(head, memory)

    def intend(self, head: Checkpoint | None, new: Checkpoint) -> None:
        """Note that a checkpoint is about to be committed on top of the head."""
        self._write(Memory(head, new))

    def settle(self, new: Checkpoint) -> None:
        """Note that the checkpoint was committed."""
        self._write(Memory(new, None))

    def adopt(self, head: Checkpoint) -> None:
        """Take the database's word once, after a person compared it with a party's copy."""
        self._write(Memory(head, None))

    def _read(self) -> Memory | None:
        try:
            value = json.loads(self._path.read_text(encoding="utf-8"))
            if value["format"] != _FORMAT:
                raise ValueError(_FORMAT)
            return Memory(self._verified(value["last"]), self._verified(value["intended"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ProofFails) as problem:
            raise LastCheckpointLost(
                f"{self._path.name} cannot be read as the log's last checkpoint.",
                "Restore the file from the keyholder's backup.",
            ) from problem

    def _verified(self, note: str | None) -> Checkpoint | None:
        return None if note is None else verify_checkpoint(note, self._log_key)

    def _write(self, memory: Memory) -> None:
        value = {
            "format": _FORMAT,
            "last": memory.last and memory.last.note,
            "intended": memory.intended and memory.intended.note,
        }
        fresh = self._path.with_name(self._path.name + ".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(value, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        sync_folder(self._path.parent)


def check_remembered(head: Checkpoint | None, memory: Memory) -> None:
    """Return when the head is the remembered checkpoint or the one that was being committed.

    Raises:
        RolledBack: the database ends before what we remember.
        HistoryGap: the database goes on beyond what we ever signed.
        OtherHistory: same size, other root.
    """
    if _is_same(head, memory.last) or (memory.intended and _is_same(head, memory.intended)):
        return
    here = head.tree_size if head else 0
    known = memory.last.tree_size if memory.last else 0
    if here < known:
        raise RolledBack(f"The ledger ends at {here} leaves; the last checkpoint had {known}.")
    if here > known:
        raise HistoryGap(f"The ledger has {here} leaves; the keyholder's last word was {known}.")
    raise OtherHistory(f"At {here} leaves the ledger has another root than the one we signed.")


def _is_same(one: Checkpoint | None, other: Checkpoint | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.tree_size, one.root_hash) == (other.tree_size, other.root_hash)
