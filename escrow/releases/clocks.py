"""When has a deadline passed? The clock rule: pure, over the times of three sources.

A right is lost only when the *smallest* of wall clock, timestamp authority's time and the witness
quorum's time has passed its deadline: whoever sets one clock forward takes nothing from anybody.
An outside source that has fallen silent is left out by an event in the agreement's stream, and
two must remain; so a clock set forward cannot make the others look silent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from escrow.releases.errors import ClocksTooFew

# Witnesses are asked each quarter of a minute, authorities each minute; a day of nothing is an
# outage that people have been told of.
SILENCE = timedelta(hours=24)

WALL, AUTHORITY, WITNESSES = "wall", "authority", "witnesses"

LEFT_OUT = "releases:clock:left-out"

_TEXTS: Mapping[str, str] = {
    WALL: "wall clock of the keyholder",
    AUTHORITY: "RFC 3161 timestamp authority",
    WITNESSES: "quorum of the log's witnesses",
}


@dataclass(frozen=True)
class Times:
    """What each source that is looked to says now.

    Args:
        wall: the keyholder's own clock.
        outside: authority's and witnesses' newest proven time, None where there was never one;
            only sources that the trust root names are keys.
    """

    wall: datetime
    outside: Mapping[str, datetime | None]

    def silent(self) -> tuple[str, ...]:
        """Return the outside sources that are a day behind *every* other source.

        Compared with the wall clock alone, a clock set forward would silence the honest ones.
        """
        return tuple(name for name in self.outside if self._is_behind(name))

    def _is_behind(self, name: str) -> bool:
        own = self.outside[name]
        others = [self.wall, *(at for other, at in self.outside.items() if other != name and at)]
        return len(others) > 1 and (own is None or min(others) - own > SILENCE)


@dataclass(frozen=True)
class RightsTime:
    """The time at which rights are judged, and whose it is.

    Args:
        at: the smallest of the sources that count.
        sources: those, in a fixed order.
        left_out: those that were left out as silent.
    """

    at: datetime
    sources: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Which clocks these are, as certificates say it."""
        if self.sources == (WALL,):
            return "wall clock of the keyholder, and the ledger's own non-decreasing time"
        text = "the smallest of " + ", ".join(_TEXTS[one] for one in self.sources)
        if self.left_out:
            text += "; silent and left out: " + ", ".join(_TEXTS[one] for one in self.left_out)
        return text


def rights_time(times: Times, logged_left_out: frozenset[str]) -> RightsTime:
    """Return the time by which a right may be lost.

    1. A source is left out only when it is silent and an event says so; one that speaks again
    counts again. 2. Of an installation that has outside sources two remain. 3. Each of them has
    spoken. 4. The smallest counts.

    Args:
        times: proven.
        logged_left_out: sources that a proven event of the agreement's stream leaves out.

    Raises:
        ClocksTooFew: question 2 or 3 is answered no.
    """
    # 1. left out
    left_out = tuple(one for one in times.silent() if one in logged_left_out)
    counting = {name: at for name, at in times.outside.items() if name not in left_out}
    # 2. two remain
    if times.outside and not counting:
        raise ClocksTooFew(left_out)
    # 3. each has spoken
    missing = tuple(name for name, at in counting.items() if at is None)
    if missing:
        raise ClocksTooFew(missing)
    # 4. the smallest
    spoken = [at for at in counting.values() if at is not None]
    return RightsTime(
        min(times.wall, *spoken) if spoken else times.wall, (WALL, *sorted(counting)), left_out
    )
