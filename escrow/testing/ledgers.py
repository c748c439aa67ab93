"""A whole ledger in a folder, with keys that are always the same, and a hand to tamper with it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

from escrow.evidence.bundles import SignedDocument, sign_statement
from escrow.evidence.statements import STATEMENT_FIELD
from escrow.evidence.trustroot import TrustRoot
from escrow.ground.database import Database, metadata
from escrow.ground.signatures import SigningKey
from escrow.ledger.appending import Entry, Scribe
from escrow.ledger.checkpoints import Checkpoint
from escrow.ledger.events import ROLES, NewEvent, Role, Stream
from escrow.ledger.fsck import LedgerSummary, check_ledger
from escrow.ledger.proofs import LedgerProof, proof_of
from escrow.ledger.sequencing import Sequencer
from escrow.ledger.stream_heads import StreamHeads
from escrow.ledger.verifying import TrustedLogKeys
from escrow.testing.databases import trial_databases

STREAM = Stream("agreement", "agr_1")


class SetClock:
    """A clock that stands still until somebody moves it."""

    def __init__(self, moment: datetime = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) -> None:
        self.moment = moment

    def now(self) -> datetime:
        """Return the moment that it was set to."""
        return self.moment

    def move(self, seconds: float) -> None:
        """Move the hands, backwards too."""
        self.moment += timedelta(seconds=seconds)


def named_key(name: str) -> SigningKey:
    """Return the key whose seed is the digest of a name: never for anything but trials."""
    return SigningKey.from_seed(hashlib.sha256(name.encode()).digest())


class LedgerWorld:
    """A database, a scribe for each role, a sequencer, and the trust root of it all.

    Args:
        folder: empty; holds the database and the keyholder's own file.
        name: part of every key's name, so that two worlds share no key.
    """

    def __init__(self, folder: Path, name: str = "world") -> None:
        self.folder = folder
        self.name = name
        self.clock = SetClock()
        self.database = Database(trial_databases().url(folder))
        metadata.create_all(self.database.writer)
        self.trust_root = TrustRoot(
            service="Trial Escrow",
            environment="production",
            log=self.key("log").public,
            leaf=self.key("leaf").public,
            roles={role: self.key(role).public for role in sorted(ROLES)},
        )
        self.heads = StreamHeads(folder / "heads")
        self.sequencer = self.new_sequencer()

    @property
    def keys(self) -> TrustedLogKeys:
        """The keys under which this ledger is believed."""
        return self.trust_root.ledger_keys

    @property
    def last_checkpoint(self) -> Path:
        """The keyholder's own file."""
        return self.folder / "last-checkpoint.json"

    def key(self, purpose: str) -> SigningKey:
        """Return the key of a role, of the log or of the leaves."""
        return named_key(f"{self.name}/{purpose}")

    def new_sequencer(self) -> Sequencer:
        """Return a sequencer as a keyholder that starts anew has it."""
        return Sequencer(
            self.key("leaf"),
            self.key("log"),
            self.clock,
            last_checkpoint=self.last_checkpoint,
            roles=self.keys.roles,
            heads=self.heads,
        )

    def append(
        self,
        count: int = 1,
        stream: Stream = STREAM,
        role: Role = "portal",
        data: dict[str, object] | None = None,
    ) -> Entry:
        """Write events in one transaction and return the last."""
        scribe = Scribe(role, self.key(role), self.clock)
        event = NewEvent(stream, "deposits:deposit:sealed", "tok_1", data or {"deposit": "dep_1"})
        with self.database.writing() as session:
            entries = [scribe.append(session, event) for _ in range(count)]
        return entries[-1]

    def sequence(self) -> Checkpoint | None:
        """Sequence what is pending, as the keyholder does."""
        with self.database.writing() as session:
            return self.sequencer.sequence(session)

    def grow(self, count: int) -> Checkpoint:
        """Write events and sequence them."""
        self.append(count)
        checkpoint = self.sequence()
        if checkpoint is None:
            raise ValueError("nothing was written")
        return checkpoint

    def proof(self, entry_sha256: str) -> LedgerProof:
        """Return the proof of an entry that is sequenced."""
        with self.database.reading() as session:
            proof = proof_of(session, entry_sha256)
        if proof is None:
            raise ValueError("the entry is not sequenced")
        return proof

    def check(self) -> LedgerSummary:
        """Check the whole ledger."""
        with self.database.reading() as session:
            return check_ledger(session, self.keys)

    def issue(self, statement: bytes, role: Role = "portal") -> SignedDocument:
        """Log, sequence and sign a statement, as the room of that role does."""
        unproven = sign_statement(statement, self.key(role))
        entry = self.append(role=role, data={STATEMENT_FIELD: unproven.statement_sha256})
        self.sequence()
        return unproven.with_proof(self.proof(entry.entry_sha256))

    def tamper(self, statement: str, *values: object) -> None:
        """Change the database as somebody does who owns it: no trigger stops him."""
        trial_databases().tamper(self.folder, statement, values)

    def close(self) -> None:
        """Close the database."""
        self.database.close()
