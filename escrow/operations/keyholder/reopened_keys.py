"""The file keys of a deposit that k agents opened for one more verification."""

from __future__ import annotations

from datetime import timedelta

from escrow.custody import records
from escrow.ground.database import Session
from escrow.ground.digests import sha256_hex
from escrow.ground.identifiers import DepositId
from escrow.operations.keyholder.disk import KEYHOLDER
from escrow.operations.keyholder.grounds import Grounds, NotInLedger

REOPENED = "custody:deposit:reopened"

# As long as the lane of a deposit that has just come in: the worker has the same work with it.
REOPENING_LIFETIME = timedelta(hours=72)


def sealed_keys_of(on: Grounds, session: Session, deposit_id: DepositId) -> bytes | None:
    """Return a reopened deposit's file keys, sealed to the worker; None where none is open.

    Raises:
        NotInLedger, ProofFails: the keyholder logged no such reopening.
    """
    row = records.reopening_of(session, deposit_id)
    if row is None or row.sealed_keys is None or row.closes_at <= on.clock.now():
        return None
    event = on.proven_event(session, row.entry_sha256, REOPENED, KEYHOLDER)
    named = (deposit_id, row.session_id, sha256_hex(row.sealed_keys))
    logged = [event.data.get(one) for one in ("deposit_id", "session_id", "sealed_keys_sha256")]
    if tuple(logged) != named:
        raise NotInLedger("The reopening is not the one that was logged.", "Nothing was opened.")
    # Not the row's word for when it ends: whoever writes it would keep the deposit open.
    if event.at + REOPENING_LIFETIME <= on.clock.now():
        return None
    return row.sealed_keys
