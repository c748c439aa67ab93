"""A process that appends to a ledger: append_process.py <database> <role> <count>."""

from __future__ import annotations

import sys

from escrow.ground.database import Database
from escrow.ledger.appending import Scribe
from escrow.ledger.events import NewEvent, Stream
from escrow.testing.ledgers import SetClock, named_key

url, role, count = sys.argv[1:]
database, clock = Database(url), SetClock()
scribe = Scribe(role, named_key(f"world/{role}"), clock)  # type: ignore[arg-type]
event = NewEvent(Stream("agreement", "agr_1"), "deposits:deposit:sealed", "tok_1", {"n": 1})
for _ in range(int(count)):
    with database.writing() as session:
        scribe.append(session, event)
database.close()
