"""Open both locks for a release, and seal what was opened to a new epoch; keyholder alone.

Guarantees: a header to the recipient is written only from a file key that matches the commitment
of its record, under a permit that names this deposit and this recipient. The combined seed lives
in the caller's frame and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from escrow.ground.database import Session
from escrow.ground.digests import Sha256Hex, new_salt
from escrow.ground.identifiers import AgreementId, DepositId, PartId, ProductId, RequestId
from escrow.vault import records
from escrow.vault.age import FileKey, Identity, open_header, parse_recipient, wrap_file_key
from escrow.vault.errors import HeaderForged, HeaderMalformed, NoIdentityMatches
from escrow.vault.headers import (
    AGENTS_LOCKS,
    CLIENT_LOCK,
    HeaderBinding,
    check_commitment,
    check_header_commitment,
    file_key_commitment,
    header_commitment,
    lock_of,
    open_header_record,
    seal_header_record,
)
from escrow.vault.keys import KeyManager
from escrow.vault.permits import Permit, Purpose


def open_both_locks(
    keys: KeyManager, row: records.HeaderRecordRow, identities: Mapping[int, Identity]
) -> FileKey:
    """Return the file key behind Lock B and Lock A of one record, checked by its commitment.

    Args:
        keys: of the keyholder.
        row: a record of the agents' lock.
        identities: the combined sealing key of each epoch.

    Raises:
        HeaderRecordSwapped: the record was made for another place.
        NoIdentityMatches, HeaderForged: it opens with another key.
        CommitmentBroken: what it holds is not what was committed to.
    """
    header = open_header_record(keys, row.key_id, binding_of(row), row.record)
    if row.lock == CLIENT_LOCK:
        check_header_commitment(row.commitment_salt, header, row.commitment)
        return open_header(header, [identities[row.epoch]])
    file_key = open_header(header, [identities[row.epoch]])
    check_commitment(row.commitment_salt, file_key, row.commitment)
    return file_key


def open_if_possible(
    keys: KeyManager, row: records.HeaderRecordRow, identities: Mapping[int, Identity]
) -> FileKey | None:
    """Return the file key of a record; None where its vendor sealed it to another key than he said.

    Nobody could know before: a stanza does not name its recipient. What the service itself wrote
    opens, or somebody changed it.

    Raises:
        as :func:`open_both_locks`; of a client-sealed part only what its vendor cannot cause.
    """
    try:
        return open_both_locks(keys, row, identities)
    except (NoIdentityMatches, HeaderForged, HeaderMalformed):
        if row.lock != CLIENT_LOCK:
            raise
        return None


def write_released_header(
    session: Session,
    permit: Permit,
    request_id: RequestId,
    thing_id: str,
    payload_sha256: str,
    file_key: FileKey,
    now: datetime,
) -> None:
    """Write the header to the permit's recipient.

    Raises:
        PermitRefused: for another purpose or deposit, or expired.
    """
    permit.check_covers(Purpose.RELEASE, permit.deposit_id, now)
    header = wrap_file_key(file_key, [parse_recipient(permit.recipient)])
    row = records.ReleasedHeaderRow(
        request_id=request_id,
        thing_id=thing_id,
        deposit_id=permit.deposit_id,
        payload_sha256=payload_sha256,
        header=header,
    )
    records.add(session, row)


def reseal_to_epoch(
    session: Session,
    keys: KeyManager,
    row: records.HeaderRecordRow,
    file_key: FileKey,
    epoch: records.SealingEpochRow,
    now: datetime,
) -> records.HeaderRecordRow:
    """Write the record of the same part under a newer sealing key, and return it."""
    header = wrap_file_key(file_key, [parse_recipient(epoch.recipient)])
    salt = new_salt()
    fresh = records.HeaderRecordRow(
        agreement_id=row.agreement_id,
        product_id=row.product_id,
        deposit_id=row.deposit_id,
        part_id=row.part_id,
        lock=row.lock,
        epoch=epoch.epoch,
        payload_sha256=row.payload_sha256,
        key_id=row.key_id,
        record=b"",
        commitment_salt=salt,
        commitment=(
            header_commitment(salt, header)
            if row.lock == CLIENT_LOCK
            else file_key_commitment(salt, file_key)
        ),
        created_at=now,
    )
    fresh.record = seal_header_record(keys, row.key_id, binding_of(fresh), header)
    records.add(session, fresh)
    return fresh


def newest_agents_records(
    rows: Sequence[records.HeaderRecordRow], epochs: frozenset[int]
) -> dict[str, records.HeaderRecordRow]:
    """Return for each part its record that agents open in the newest of these epochs."""
    return {
        row.part_id: row
        for row in sorted(rows, key=lambda one: one.epoch)
        if row.lock in AGENTS_LOCKS and row.epoch in epochs
    }


def binding_of(row: records.HeaderRecordRow) -> HeaderBinding:
    """Return the place that a record says it belongs to; opening it proves whether it does."""
    return HeaderBinding(
        agreement_id=AgreementId(row.agreement_id),
        product_id=ProductId(row.product_id),
        deposit_id=DepositId(row.deposit_id),
        part_id=PartId(row.part_id),
        payload_sha256=Sha256Hex(row.payload_sha256),
        lock=lock_of(row.lock),
        epoch=row.epoch,
    )
