"""By which public keys is a paper to be checked: the pinned ones, or those its agents vouch for.

Guarantees: keys that came with the paper are believed only when k agents of an agreement whose
text the reader holds signed for them, or when they are the very ones that he pinned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from escrow.evidence.errors import TrustRootUndecided
from escrow.evidence.snapshots import (
    Agents,
    TrustSnapshot,
    Vouching,
    check_acts_whole,
    verify_vouches,
)
from escrow.evidence.trustroot import TrustRoot

_NO_SNAPSHOT = "whether agents vouch for the public keys: the file carries no acts of theirs"
_NO_AGREEMENT = (
    "whether agents of the agreement vouch for the public keys: no agreement's text was given"
)


@dataclass(frozen=True)
class Believed:
    """The public keys to check with.

    Args:
        root: the trust root.
        vouched: for each agreement that the reader holds, whose agents vouch for it.
        could_not_tell: what about it nobody could tell here.
    """

    root: TrustRoot
    vouched: tuple[Vouching, ...] = ()
    could_not_tell: tuple[str, ...] = ()


def believed_root(
    snapshot: TrustSnapshot | None, pinned: TrustRoot | None, agents: Sequence[Agents]
) -> Believed:
    """Return the trust root by which a paper is to be checked.

    Args:
        snapshot: as the paper carries it, if it does.
        pinned: as the reader was given it, if he was.
        agents: of the agreements whose text he holds.

    Raises:
        TrustRootNotVouched: the acts in the file do not hold, or are too few.
        TrustRootUndecided: neither the pinned keys nor agents decide it.
    """
    if snapshot is None:
        if pinned is None:
            raise TrustRootUndecided("The file carries no public keys that agents vouch for.")
        return Believed(pinned, could_not_tell=(_NO_SNAPSHOT,))
    vouched = tuple(verify_vouches(snapshot, one) for one in agents)
    # Those under other agreements too: an act that does not hold was put there by nobody honest.
    check_acts_whole(snapshot)
    if vouched:
        return Believed(snapshot.root, vouched)
    if pinned is None or not pinned.is_grown_from(snapshot.root):
        # An older paper, or forged keys: only the agents can tell the one from the other. Where
        # nothing but a worker has come in since, every key of the paper is a pinned one.
        raise TrustRootUndecided("The file names other public keys than the ones that were pinned.")
    return Believed(pinned, could_not_tell=(_NO_AGREEMENT,))
