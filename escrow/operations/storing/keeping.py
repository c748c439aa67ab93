"""The worker's loop over the stores: the second copy soon, a slice of the scrub each day."""

from __future__ import annotations

import logging
import threading

from escrow.endings.letting_go import LetGo
from escrow.ground.clock import Clock
from escrow.ground.database import Database
from escrow.ground.errors import Unavailable
from escrow.ledger.appending import Scribe
from escrow.ledger.verifying import TrustedLogKeys
from escrow.operations.storing.records import RoomsInventory
from escrow.operations.storing.telling import LossTeller
from escrow.vault.blobs import BlobStore
from escrow.vault.storage.places import Place
from escrow.vault.storage.records import PRIMARY
from escrow.vault.storage.replicating import Replicator
from escrow.vault.storage.restoring import HeaderKeeper, HeaderRestorer
from escrow.vault.storage.scrubbing import Scrubber

# One account may be lost at any time; the look is three indexed reads.
ROUND_SECONDS = 30.0

_log = logging.getLogger("escrow.storage")


class StoreKeeper:
    """Replicator and scrub of one installation's two places.

    Args:
        database: the service's.
        blobs: the primary store.
        replica: None where there is none.
        clock: the service's.
        scribe: of the worker.
        keys: of the ledger and of the roles, as they are pinned here.
        keyholder: brings lost header records back; None where nobody is asked.
    """

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        replica: Place | None,
        clock: Clock,
        scribe: Scribe,
        keys: TrustedLogKeys,
        keyholder: HeaderKeeper | None = None,
    ) -> None:
        inventory = RoomsInventory(LetGo(keys))
        primary = Place(PRIMARY, blobs)
        self.has_replica = replica is not None
        self.replicator = Replicator(database, inventory, primary, replica, clock)
        shelf = replica.shelf if replica else None
        self.restorer = (
            HeaderRestorer(database, shelf, keyholder, clock) if shelf and keyholder else None
        )
        self.teller = LossTeller(database, scribe, clock)
        self.scrubber = Scrubber(
            self.replicator, database, inventory, primary, replica, clock, scribe
        )


def keep_stored(
    keeper: StoreKeeper, stopping: threading.Event, round_seconds: float = ROUND_SECONDS
) -> None:
    """Copy what lacks a copy, read what is due, until told to stop; for a thread of its own."""
    while not stopping.wait(round_seconds):
        try:
            keeper.replicator.round(stopping.is_set)
            if keeper.restorer is not None:
                keeper.restorer.round()
            if keeper.scrubber.is_slice_due():
                keeper.scrubber.run("slice", stopping.is_set)
            keeper.teller.look()
        except Unavailable as problem:
            _log.warning("the stores: %s It is tried again.", problem.reason)
        except Exception:
            # A worker loop: what fails once must not leave everything without a second copy.
            _log.exception("the second copies could not be made; it is tried again")
