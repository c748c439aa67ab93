"""Open, use and close the lanes of deposits; for the keyholder alone.

A lane's secret is wrapped under a key of its own in the key manager, so that destroying that key
closes the lane in every copy of the database too.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from escrow.ground.database import Session
from escrow.ground.identifiers import DepositId, ProductId
from escrow.ground.signatures import Signer
from escrow.vault import records
from escrow.vault.age import X25519Identity, parse_identity
from escrow.vault.errors import LaneClosed, LaneMissing
from escrow.vault.keys import KeyManager
from escrow.vault.lanes import LaneAnnouncement, new_lane

_AAD_LABEL = b"escrow-lane-identity/1\0"


def open_lane(
    session: Session,
    keys: KeyManager,
    signer: Signer,
    product_id: ProductId,
    deposit_id: DepositId,
    now: datetime,
    lifetime: timedelta,
) -> LaneAnnouncement:
    """Return the lane of a deposit; the first call makes it.

    Args:
        session: written to.
        keys: of the keyholder.
        signer: the keyholder's announcement key.
        product_id, deposit_id: whose lane.
        now: aware UTC.
        lifetime: after this the lane is closed even without a verdict.

    Raises:
        LaneClosed: there was one.
    """
    row = records.lane_of(session, deposit_id)
    if row is not None:
        _check_open(row, now)
        return LaneAnnouncement(deposit_id, row.recipient, row.signature)
    lane = new_lane(deposit_id)
    announcement = lane.announce(signer)
    key_id = _key_id(deposit_id)
    if not keys.has_key(key_id):
        # A key without a row is left by a crash right here; it wrapped nothing that was used.
        keys.create_key(key_id)
    sealed = keys.wrap(key_id, lane.identity.reveal().encode(), _aad(deposit_id))
    records.add(
        session,
        records.LaneRow(
            deposit_id=deposit_id,
            product_id=product_id,
            recipient=announcement.recipient,
            signature=announcement.signature,
            key_id=key_id,
            sealed_identity=sealed,
            opened_at=now,
            closes_at=now + lifetime,
        ),
    )
    return announcement


def lane_identity(
    session: Session, keys: KeyManager, deposit_id: DepositId, now: datetime
) -> X25519Identity:
    """Return the secret half of an open lane.

    Raises:
        LaneMissing, LaneClosed: there is none any more.
        UnwrapFailed: the row was changed.
    """
    return _identity(session, keys, deposit_id, now)


def kept_lane_identity(session: Session, keys: KeyManager, deposit_id: DepositId) -> X25519Identity:
    """Return the secret half of a lane that was not destroyed, however old it is.

    For the lasting headers alone: a sealed deposit whose lane were called closed before they are
    written would be lost to everybody, so its time does not count here.

    Raises:
        LaneMissing, LaneClosed: there is none any more.
        UnwrapFailed: the row was changed.
    """
    return _identity(session, keys, deposit_id, None)


def check_open(session: Session, deposit_id: DepositId, now: datetime) -> None:
    """Return when a deposit's lane is open.

    Raises:
        LaneMissing, LaneClosed: there is none any more.
    """
    _check_open(_row(session, deposit_id), now)


def _row(session: Session, deposit_id: DepositId) -> records.LaneRow:
    row = records.lane_of(session, deposit_id)
    if row is None:
        raise LaneMissing(f"No lane was opened for {deposit_id}.", "Open the deposit first.")
    return row


def _identity(
    session: Session, keys: KeyManager, deposit_id: DepositId, now: datetime | None
) -> X25519Identity:
    sealed = _check_open(_row(session, deposit_id), now)
    identity = parse_identity(keys.unwrap(_key_id(deposit_id), sealed, _aad(deposit_id)).decode())
    if not isinstance(identity, X25519Identity):
        raise LaneMissing(f"The lane of {deposit_id} has no key of ours.", "Tell the operator.")
    return identity


def close_lane(session: Session, keys: KeyManager, deposit_id: DepositId, now: datetime) -> bool:
    """Destroy a lane; return whether it was open.

    The key goes first: a crash between the two leaves a lane that opens nothing.
    """
    row = records.lane_of(session, deposit_id)
    if row is None or row.closed_at is not None:
        return False
    # Never the id that the row names: whoever writes the database would choose what is destroyed.
    keys.destroy_key(_key_id(deposit_id))
    records.mark_lane_closed(session, row, now)
    return True


def _check_open(row: records.LaneRow, now: datetime | None) -> bytes:
    is_over = now is not None and now >= row.closes_at
    if row.sealed_identity is None or row.closed_at is not None or is_over:
        raise LaneClosed(
            f"The lane of {row.deposit_id} is closed.",
            "Only the agents can open this deposit now; for a new examination deposit anew.",
        )
    return row.sealed_identity


def _key_id(deposit_id: DepositId) -> str:
    return f"lane-{deposit_id}"


def _aad(deposit_id: DepositId) -> bytes:
    return _AAD_LABEL + deposit_id.encode()
