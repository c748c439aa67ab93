"""By whose clocks a right is lost, in the keyholder's hands: outside words joined to a history.

The rule itself is :mod:`escrow.releases.clocks`; here its times are proven, silence is written
down, and an act that a portal dated too late is given back the time at which it surely came.
"""

from __future__ import annotations

from dataclasses import replace

from escrow.ground.clock import rfc3339
from escrow.ground.database import Session
from escrow.ledger.chains import ChainedEvent
from escrow.ledger.errors import NotWitnessed
from escrow.ledger.events import NewEvent
from escrow.ledger.records import leaf_of
from escrow.operations.keyholder.disk import KEYHOLDER
from escrow.operations.keyholder.grounds import Grounds
from escrow.register.changes import RecipientChange
from escrow.releases.clocks import LEFT_OUT, RightsTime, Times, rights_time
from escrow.releases.history import Given, History


def times_now(on: Grounds, session: Session) -> Times:
    """Return what each source of time says now."""
    return Times(on.clock.now(), on.outside.times(session))


def rights_now(on: Grounds, session: Session, events: tuple[ChainedEvent, ...]) -> RightsTime:
    """Return the time by which a right may be lost now.

    Args:
        events: of the agreement's stream, proven.

    Raises:
        ClocksTooFew: fewer than two sources are left.
    """
    return rights_time(times_now(on, session), _left_out(events, len(events)))


def note_silence(on: Grounds, session: Session, events: tuple[ChainedEvent, ...]) -> bool:
    """Write down each source that has fallen silent since; return whether there was one.

    The event is what leaves it out: nothing is left out without everybody being able to see it.
    """
    times = times_now(on, session)
    fresh = [one for one in times.silent() if one not in _left_out(events, len(events))]
    for name in fresh:
        last = times.outside[name]
        data = {"source": name, "last": last and rfc3339(last), "wall": rfc3339(times.wall)}
        stream = events[0].event.stream
        on.scribe.append(session, NewEvent(stream, LEFT_OUT, KEYHOLDER, data))
    return bool(fresh)


def with_sure_times(
    on: Grounds, session: Session, history: History, events: tuple[ChainedEvent, ...]
) -> History:
    """Return the history with each objection at the earliest time that a source bears out.

    The time in an entry is that of the portal's clock. Had that been set forward, a vendor's
    timely word would look late: so it counts as of the newest outside word *before* its leaf.
    Had it been set back, the cooling-off of a changed recipient would look over: so its proof
    counts as of no earlier than the newest such word.
    """
    if not on.outside.anchors.witnesses and not on.outside.anchors.authorities:
        return history
    sure = tuple(_sure(on, session, one, history, events) for one in history.objections)
    changes = tuple(_no_earlier(on, session, one, events) for one in history.changes)
    return replace(history, objections=sure, changes=changes)


def _no_earlier(
    on: Grounds, session: Session, change: RecipientChange, events: tuple[ChainedEvent, ...]
) -> RecipientChange:
    if change.proven_at is None or change.proven_place is None:
        return change
    found = leaf_of(session, events[change.proven_place].entry_sha256)
    said = on.outside.times(session, found[1].leaf_index) if found else {}
    heard = [at for at in said.values() if at is not None]
    return replace(change, proven_at=max([change.proven_at, *heard]))


def check_witnessed(on: Grounds, session: Session, *entries: str) -> None:
    """Return when a quorum of witnesses has cosigned the tree with these entries in it.

    Asked between every intent and its effect: outsiders remember what a keyholder that was put
    back as a whole does not.

    Args:
        entries: names of proven entries, one at least.

    Raises:
        NotWitnessed: not, or not yet.
    """
    leaves = [found[1].leaf_index for one in entries if (found := leaf_of(session, one))]
    # A tree that covers the newest covers the others.
    if len(leaves) < len(entries) or not on.outside.is_witnessed(session, max(leaves)):
        raise NotWitnessed


def _sure(
    on: Grounds,
    session: Session,
    given: Given,
    history: History,
    events: tuple[ChainedEvent, ...],
) -> Given:
    found = leaf_of(session, events[given.place].entry_sha256)
    if found is None:
        return given
    said = on.outside.times(session, found[1].leaf_index)
    counting = [at for name, at in said.items() if name not in _left_out(events, given.place)]
    # A source that had not spoken yet takes nobody's right: the act is then as old as the request.
    return replace(given, at=min([given.at, *(at or history.request.at for at in counting)]))


def _left_out(events: tuple[ChainedEvent, ...], before: int) -> frozenset[str]:
    return frozenset(
        str(one.event.data.get("source"))
        for one in events[:before]
        if (one.event.type, one.event.role) == (LEFT_OUT, KEYHOLDER)
    )
