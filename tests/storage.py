"""Two stores with a hand to damage them, and what must be in them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from escrow.ground.database import Session
from escrow.ground.digests import Sha256Hex, sha256_hex
from escrow.ledger.appending import Scribe
from escrow.testing.ledgers import LedgerWorld
from escrow.vault.blobs import FileBlobStore
from escrow.vault.records import HeaderRecordRow
from escrow.vault.storage import records
from escrow.vault.storage.inventory import Wanted
from escrow.vault.storage.places import FileShelf, Place
from escrow.vault.storage.replicating import Replicator
from escrow.vault.storage.scrubbing import Kind, Scrubber, ScrubCounts


class ListedInventory:
    """An inventory that is a list."""

    def __init__(self) -> None:
        self.wanted: dict[Sha256Hex, int] = {}
        self.let_go = set[str]()

    def unnoted(self, session: Session, limit: int) -> Sequence[Wanted]:
        """Return what the vault has no note of."""
        found = (
            Wanted(one, size)
            for one, size in self.wanted.items()
            if records.copy_of(session, one, records.PRIMARY) is None
        )
        return [one for one, _ in zip(found, range(limit), strict=False)]

    def wants(self, session: Session, sha256: Sha256Hex) -> bool:
        """Look into the list."""
        return sha256 in self.wanted

    def is_let_go(self, session: Session, sha256: str) -> bool:
        """Look into the other list."""
        return sha256 in self.let_go


class StoredWorld:
    """A primary and, unless told otherwise, a replica, in folders.

    Args:
        folder: for everything.
        replica: another than the one in files; None for none.
    """

    def __init__(self, folder: Path, replica: Place | str | None = "files") -> None:
        self.folder = folder
        self.ledger = LedgerWorld(folder)
        self.database, self.clock = self.ledger.database, self.ledger.clock
        self.random = random.Random(11)
        self.inventory = ListedInventory()
        self.primary = Place(records.PRIMARY, FileBlobStore(folder / "primary"))
        self.replica = (
            Place(
                records.REPLICA,
                FileBlobStore(folder / "replica", flat=True),
                FileShelf(folder / "replica"),
            )
            if isinstance(replica, str)
            else replica
        )
        self.start()

    def start(self) -> None:
        """Put replicator and scrub together, as a process that starts has them."""
        scribe = Scribe("worker", self.ledger.key("worker"), self.clock)
        self.replicator = Replicator(
            self.database, self.inventory, self.primary, self.replica, self.clock
        )
        self.scrubber = Scrubber(
            self.replicator,
            self.database,
            self.inventory,
            self.primary,
            self.replica,
            self.clock,
            scribe,
        )

    def scrub(self, kind: Kind = "whole") -> ScrubCounts | None:
        """Run the scrub a second later than whatever was."""
        self.clock.move(1)
        return self.scrubber.run(kind)

    def put(self, content: bytes | None = None) -> Sha256Hex:
        """Store a payload that a room names."""
        content = self.random.randbytes(200) if content is None else content
        digest = sha256_hex(content)
        staging = self.primary.blobs.stage()
        staging.append(content)
        staging.commit(digest)
        self.inventory.wanted[digest] = len(content)
        return digest

    def write_header(self, part: str, lock: str = "a+b", epoch: int = 1) -> records.PartKey:
        """Write a header record as the keyholder does."""
        with self.database.writing() as session:
            records.add(
                session,
                [
                    HeaderRecordRow(
                        agreement_id="agr_1",
                        product_id="prd_1",
                        deposit_id="dep_1",
                        part_id=part,
                        lock=lock,
                        epoch=epoch,
                        payload_sha256=sha256_hex(part.encode()),
                        key_id="agreement-agr_1",
                        record=self.random.randbytes(180),
                        commitment_salt=self.random.randbytes(16).hex(),
                        commitment=self.random.randbytes(32).hex(),
                        created_at=self.clock.now(),
                    )
                ],
            )
        return ("agr_1", "dep_1", part)

    def file(self, place: str, sha256: str) -> Path:
        """Return where a copy lies."""
        if place == records.PRIMARY:
            return self.folder / "primary" / "objects" / sha256[:2] / sha256[2:4] / sha256
        return self.folder / "replica" / "payloads" / sha256

    def flip(self, path: Path) -> None:
        """Flip one bit of a file, any."""
        content = bytearray(path.read_bytes())
        at = self.random.randrange(len(content) * 8)
        content[at // 8] ^= 1 << at % 8
        path.chmod(0o644)
        path.write_bytes(content)

    def close(self) -> None:
        """Close the database."""
        self.ledger.close()
