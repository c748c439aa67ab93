"""Which payloads the ledger lets go: the list of doomed ones is rows, and no order by itself.

A payload goes from the stores only where the proven events of its product say that the keyholder
shredded every deposit that names it. So whoever writes rows has nothing removed: no payload whose
headers are not written yet, none whose headers he deleted, no builder's image.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any, cast

from escrow.endings.rules import shredded_deposits
from escrow.ground.database import Session
from escrow.ground.errors import EscrowError
from escrow.ledger.chains import read_chain, verify_chain
from escrow.ledger.events import Event, Stream
from escrow.ledger.verifying import TrustedLogKeys
from escrow.releases.offers import is_sealing
from escrow.vault.shreds import records as shreds
from escrow.verification.examinations import DOCUMENTS_SEALED

# Of each product that was asked about the digests stay, 100 bytes each; more products than this
# are seldom shredded from at one time.
_PRODUCTS_KEPT = 100

_log = logging.getLogger("escrow.storage")


class LetGo:
    """What the ledger says; what was let go once stays so, and is not asked for again.

    Args:
        keys: of the ledger and of the roles, as they are pinned.
    """

    def __init__(self, keys: TrustedLogKeys) -> None:
        self._keys = keys
        self._known: dict[str, frozenset[str]] = {}

    def has(self, session: Session, payload: str) -> bool:
        """Tell whether a payload is doomed by a row, and let go by the ledger.

        False too where the events do not hold, or are not sequenced yet: what is kept too long
        does no harm.
        """
        row = shreds.doomed_payload(session, payload)
        if row is None:
            return False
        if payload in self._known.get(row.product_id, ()):
            return True
        try:
            is_let_go = payload in self._asked(session, row.product_id)
        except EscrowError as problem:
            _log.error("payload %s is kept: %s", payload, problem)
            return False
        if not is_let_go:
            _log.error("payload %s is doomed by a row and by nothing in the ledger: kept", payload)
        return is_let_go

    def _asked(self, session: Session, product_id: str) -> frozenset[str]:
        stream = Stream("product", product_id)
        chain = read_chain(session, stream)
        if chain is None:
            return frozenset()
        events = [one.event for one in verify_chain(chain, self._keys, stream).events]
        if events[0].sequence != 0:
            return frozenset()
        if len(self._known) >= _PRODUCTS_KEPT:
            self._known.clear()
        self._known[product_id] = payloads_let_go(events)
        return self._known[product_id]


def payloads_let_go(events: Sequence[Event]) -> frozenset[str]:
    """Return the payloads of a product that deposits name which were shredded, and no other does.

    Args:
        events: of the product's stream; whether they are proven is the caller's.
    """
    gone = shredded_deposits(events)
    kept, let_go = set[str](), set[str]()
    for deposit_id, payload in _named(events):
        (let_go if deposit_id in gone else kept).add(payload)
    return frozenset(let_go - kept)


def _named(events: Iterable[Event]) -> Iterable[tuple[str, str]]:
    """Yield deposit and payload of every part that was sealed and every document of it."""
    for one in events:
        if is_sealing(one):
            listed = one.data["parts"]
        elif (one.type, one.role) == (DOCUMENTS_SEALED, "worker"):
            listed = one.data["documents"]
        else:
            continue
        for each in cast("list[dict[str, Any]]", listed):
            yield str(one.data["deposit_id"]), str(each["payload_sha256"])
