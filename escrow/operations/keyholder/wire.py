"""What may be asked of the keyholder, and by which process.

Every argument is an identifier: the keyholder looks everything else up itself, in the ledger and
on its own disk, so that whoever can reach it can ask but not assert. What carries a call, and how
the asker is known, is :mod:`escrow.operations.calls`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from escrow.ground.errors import Unavailable
from escrow.ledger.events import NAME_MARK
from escrow.operations.calls.lines import Desk, Verb
from escrow.operations.calls.unix import SERVICE

PORTAL: Final = "portal"
WORKER: Final = "worker"

# What is sealed to whoever asks, and so has to know who does.
TOLD_WHO_ASKS = frozenset({"open-for-verification"})


def worker_called(name: str | None) -> str:
    """Return what a worker is called in the trust root, on the wire and in the exchange folder."""
    return WORKER if name is None else f"{WORKER}{NAME_MARK}{name}"


_ANYBODY = frozenset({"ping", "sequence"})

# The portal receives deposits and moves requests on; a deposit that is given up closes its lane.
# It never gets a file key of a deposit.
_PORTAL = _ANYBODY | {
    "open-lane",
    "seal-lasting-headers",
    "close-lane",
    "open-document",
    "hold-ceremony",
    "open-confirmation",
    "check-release-share",
    "execute-release",
    "open-session",
    "settle-session",
    "carry-out-session",
    "shred-deposit",
    "destroy-agreement",
}

# The worker verifies one deposit after the other, and seals what it found. It reads no document.
# It has the second copies, and so what the database lost.
_WORKER = _ANYBODY | {
    "open-for-verification",
    "close-lane",
    "documents-recipient",
    "restore-headers",
}

MAY_ASK: Mapping[str, frozenset[str]] = {
    PORTAL: _PORTAL,
    WORKER: _WORKER,
    # On one machine the two are one process.
    SERVICE: _PORTAL | _WORKER,
}


class KeyholderOut(Unavailable):
    """The keyholder does not answer."""

    code = "keyholder.out"


def keyholder_desk(verbs: Mapping[str, Verb]) -> Desk:
    """Return the keyholder's desk over what it can do."""
    return Desk(verbs, MAY_ASK, told_who_asks=TOLD_WHO_ASKS)
