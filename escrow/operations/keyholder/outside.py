"""What witnesses and timestamp authorities have said, as the keyholder believes it.

The words come through the database, whose owner may withhold them but not make them: each is
checked here against the anchors of the keyholder's own settings, and a cosigned checkpoint counts
only if the tree as it stands continues it. The newest cosigned one is kept on the own disk too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from escrow.evidence.anchors import NO_ANCHORS, Anchors
from escrow.evidence.errors import TimestampWrong
from escrow.evidence.timestamps import verify_timestamp
from escrow.ground.database import Session
from escrow.ground.paths import write_whole
from escrow.ground.signatures import PublicKey
from escrow.ledger.checkpoints import Checkpoint, verify_checkpoint
from escrow.ledger.cosignatures import (
    Cosignature,
    Witness,
    body_of,
    check_cosignature,
    quorum_time,
)
from escrow.ledger.errors import LastCheckpointLost, OtherHistory, ProofFails, RolledBack
from escrow.ledger.merkle import check_consistency
from escrow.ledger.proofs import consistency_proof, newest_checkpoint
from escrow.ledger.verifying import TrustedLogKeys
from escrow.ledger.witnessing import records
from escrow.releases.clocks import AUTHORITY, WITNESSES

_FORMAT = "escrow-last-witnessed/1"


@dataclass(frozen=True)
class Outside:
    """Whom this keyholder believes outside the service; nobody, where no anchors are set.

    Args:
        anchors: from the keyholder's own settings, as they stand in the trust root.
        keys: of the ledger.
        memory: file on the keyholder's own disk.
    """

    anchors: Anchors
    keys: TrustedLogKeys | None
    memory: Path | None

    def times(self, session: Session, before_leaf: int | None = None) -> dict[str, datetime | None]:
        """Return the newest proven time of each source that the anchors name.

        Args:
            session: reading is enough.
            before_leaf: only what was said of checkpoints that do not cover this leaf yet.
        """
        found: dict[str, datetime | None] = {}
        if self.anchors.authorities:
            found[AUTHORITY] = self._authority_time(session, before_leaf)
        if self.anchors.witnesses:
            heard = {
                one.name: word.at
                for one in self.anchors.witnesses
                if (word := next(self._words(session, one, at_most=before_leaf), None))
            }
            found[WITNESSES] = quorum_time(heard, self.anchors.quorum)
        return found

    def is_witnessed(self, session: Session, leaf_index: int) -> bool:
        """Tell whether a quorum has cosigned this tree at a size that covers a leaf.

        After database and own disk were both put back, this is what shows it: a witness that has
        seen more, or other leaves, cosigns nothing of the older history.
        """
        if not self.anchors.witnesses:
            return True
        said = [
            next(self._words(session, one, at_least=leaf_index + 1), None)
            for one in self.anchors.witnesses
        ]
        return sum(one is not None for one in said) >= self.anchors.quorum

    def check_remembered(self, session: Session) -> None:
        """Return when the tree continues the newest cosigned checkpoint of the own disk.

        Raises:
            RolledBack, OtherHistory: it does not.
            LastCheckpointLost: the file is there, and cannot be read.
        """
        remembered = self._remembered()
        if remembered is None or self.keys is None:
            return
        head = newest_checkpoint(session, self.keys)
        if head is None or head.tree_size < remembered.tree_size:
            raise RolledBack(
                f"The ledger ends at {head.tree_size if head else 0} leaves; witnesses have "
                f"cosigned {remembered.tree_size}."
            )
        if not _continues(session, remembered, head):
            raise OtherHistory("The ledger does not continue what witnesses have cosigned.")

    def remember(self, session: Session) -> None:
        """Keep the newest checkpoint that a quorum has cosigned on the own disk."""
        if self.memory is None or not self.anchors.witnesses:
            return
        before = self._remembered()
        sizes = sorted(
            (
                verified[0].tree_size
                for one in self.anchors.witnesses
                if (verified := next(self._verified(session, one, None, None), None))
            ),
            reverse=True,
        )
        if len(sizes) < self.anchors.quorum:
            return
        size = sizes[self.anchors.quorum - 1]
        if before is not None and size <= before.tree_size:
            return
        note = next(
            found.note
            for one in self.anchors.witnesses
            for found, _ in self._verified(session, one, size, size)
        )
        text = json.dumps({"format": _FORMAT, "note": note}, indent=1)
        write_whole(self.memory, text + "\n", 0o600)

    def _remembered(self) -> Checkpoint | None:
        if self.memory is None or self.keys is None:
            return None
        try:
            value = json.loads(self.memory.read_text(encoding="utf-8"))
            if value["format"] != _FORMAT:
                raise ValueError(_FORMAT)
            return verify_checkpoint(value["note"], self.keys.log)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ProofFails) as problem:
            raise LastCheckpointLost(
                f"{self.memory.name} cannot be read as a cosigned checkpoint.",
                "Restore the file from the keyholder's backup.",
            ) from problem

    def _words(
        self,
        session: Session,
        witness: Witness,
        *,
        at_least: int | None = None,
        at_most: int | None = None,
    ) -> Iterator[Cosignature]:
        return (word for _, word in self._verified(session, witness, at_least, at_most))

    def _verified(
        self, session: Session, witness: Witness, at_least: int | None, at_most: int | None
    ) -> Iterator[tuple[Checkpoint, Cosignature]]:
        """Yield what a witness has verifiably said of this very tree, newest first."""
        if self.keys is None or (head := newest_checkpoint(session, self.keys)) is None:
            return
        rows = records.newest_cosigned(session, str(witness.key), at_least, at_most)
        for note, unnamed in rows:
            word = replace(unnamed, key_id=witness.key.key_id)
            try:
                checkpoint = verify_checkpoint(note, self.keys.log)
                check_cosignature(word, checkpoint, witness.key)
            except ProofFails:
                # A row that was put in is as none; it must not hide one that holds.
                continue
            if _continues(session, checkpoint, head):
                yield checkpoint, word

    def _authority_time(self, session: Session, at_most: int | None) -> datetime | None:
        names = [one.name for one in self.anchors.authorities]
        for note, token in records.newest_stamped(session, names, at_most):
            try:
                checkpoint = verify_checkpoint(note, self._log_key())
                return verify_timestamp(token, body_of(checkpoint), self.anchors.authorities).at
            except (ProofFails, TimestampWrong):
                continue
        return None

    def _log_key(self) -> PublicKey:
        if self.keys is None:
            raise ValueError("nobody is believed without the log's key")
        return self.keys.log


NOBODY = Outside(NO_ANCHORS, None, None)


def _continues(session: Session, older: Checkpoint, head: Checkpoint) -> bool:
    """Tell whether the tree of the head begins with an older checkpoint's."""
    if not 0 < older.tree_size <= head.tree_size:
        return False
    try:
        path = (
            consistency_proof(session, older.tree_size, head.tree_size)
            if older.tree_size < head.tree_size
            else ()
        )
        check_consistency(older.tree_size, older.root_hash, head.tree_size, head.root_hash, path)
    except ProofFails:
        return False
    return True
