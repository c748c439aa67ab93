"""A world that two witnesses and a timestamp authority look on; it can be put back as a whole."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from escrow.evidence.anchors import Anchors
from escrow.evidence.collecting import Collector
from escrow.ground.errors import EscrowError
from escrow.ground.signatures import PublicKey
from escrow.operations.keyholder.grounds import Grounds
from escrow.operations.keyholder.outside import Outside
from escrow.testing.custody import CustodyWorld
from escrow.testing.ledgers import SetClock
from escrow.testing.timestamps import TrialAuthority
from escrow.testing.witnesses import TrialWitness, network


class WatchedWorld(CustodyWorld):
    """Two witnesses and a timestamp authority look on, each with a clock of its own."""

    outsiders: Path
    # Of the world that this one goes on from.
    before: WatchedWorld | None = None

    @property
    def log_key(self) -> PublicKey:
        """The log's."""
        return self.ledger.keys.log

    def _grounds(self, folder: Path) -> Grounds:
        grounds = super()._grounds(folder)
        self.honest = SetClock(self.clock.moment)
        self.authority_clock = SetClock(self.clock.moment)
        if self.before is not None:
            self.clock.moment = self.before.clock.moment
            self.honest, self.authority_clock = self.before.honest, self.before.authority_clock
        now, log = self.honest.now, self.log_key
        self.witnesses = [TrialWitness(name, log, now) for name in ("one", "two")]
        self.authority = (
            self.before.authority
            if self.before is not None
            else TrialAuthority(self.outsiders, now=self.authority_clock.now)
        )
        listed = tuple(one.witness for one in self.witnesses)
        self.anchors = Anchors(listed, 2, (self.authority.authority,))
        outside = Outside(self.anchors, self.ledger.keys, folder.parent / "last-witnessed")
        object.__setattr__(grounds, "outside", outside)
        return grounds

    def collect(self) -> dict[str, EscrowError]:
        """Do what the worker does every quarter of a minute."""
        transport = network(*self.witnesses, self.authority)
        clock = SetClock(self.honest.moment)
        return dict(
            Collector(self.database, self.log_key, self.anchors, clock, transport).collect()
        )

    def time_passes(self, until: datetime) -> None:
        """Let every clock go on."""
        for one in (self.clock, self.honest, self.authority_clock):
            one.moment = until
        self.ledger.append()
        self.ledger.sequence()
        self.collect()


def reopened(world: WatchedWorld, folder: Path) -> WatchedWorld:
    """Return the world of a folder, looked on by the same outsiders with what they remember."""
    WatchedWorld.before = world
    try:
        again = WatchedWorld(folder)
    finally:
        WatchedWorld.before = None
    again.agreement, again.tokens = world.agreement, world.tokens
    for one, before in zip(again.witnesses, world.witnesses, strict=True):
        one.seen = before.seen
    return again
