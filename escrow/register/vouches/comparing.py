"""What the ledger says of agents who vouch for the public keys, beside their rows."""

from __future__ import annotations

import json
from collections.abc import Iterator

from escrow.ground.database import Session, every_row
from escrow.ledger.comparing import Comparer, Facts, Key, States
from escrow.ledger.reading import RecordedEvent
from escrow.register.vouches.records import TrustRootVouchRow
from escrow.register.vouches.vouching import VOUCHED


def _vouch(states: States, recorded: RecordedEvent) -> None:
    data = recorded.event.data
    states[(str(data["act_sha256"]),)] = {
        "agreement_id": recorded.event.stream.id,
        "trust_root_sha256": data["trust_root_sha256"],
        # Handed out as it lies here, so it is compared whole.
        "act": data["act"],
    }


def _vouches(session: Session) -> Iterator[tuple[Key, Facts]]:
    for row in every_row(session, TrustRootVouchRow):
        facts: Facts = {"agreement_id": row.agreement_id, "act": _act(row.envelope_json)}
        yield (row.act_sha256,), facts | {"trust_root_sha256": row.trust_root_sha256}


def _act(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        # No act at all: then it is none that the ledger names.
        return None


COMPARERS = (Comparer("trust_root_vouch", frozenset({VOUCHED}), _vouch, _vouches),)
