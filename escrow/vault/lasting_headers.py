"""Write the headers that stay, and open file keys while the lane is open; keyholder alone.

For each agreement and part: Lock A is a header to the agreement's sealing key, Lock B wraps it
under the agreement's key-encryption key. Standing custody adds a record under Lock B alone, which
holds the file key itself. Each file key is committed to, and is given out later only while it
matches its commitment.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from escrow.ground.database import Session
from escrow.ground.digests import Sha256Hex, canonical_json, new_salt
from escrow.ground.identifiers import AgreementId, DepositId, PartId, ProductId
from escrow.vault import records
from escrow.vault.age import (
    FileKey,
    Identity,
    encrypt_bytes,
    open_header,
    parse_recipient,
    wrap_file_key,
)
from escrow.vault.errors import CommitmentBroken, NoIdentityMatches
from escrow.vault.headers import (
    AGENTS_LOCK,
    CLIENT_LOCK,
    HeaderBinding,
    Lock,
    check_commitment,
    file_key_commitment,
    header_commitment,
    lock_of,
    seal_header_record,
)
from escrow.vault.keys import KeyManager
from escrow.vault.lane_keeping import kept_lane_identity, lane_identity
from escrow.vault.permits import Permit, Purpose


@dataclass(frozen=True)
class StoredPart:
    """A part as the intake stored it: its payload's digest and its header to the lane."""

    part_id: PartId
    payload_sha256: Sha256Hex
    lane_header: bytes


@dataclass(frozen=True)
class ClientSealedPart:
    """A part that its vendor sealed: no lane opens it, and the header is as he made it.

    Args:
        epoch: of the agreement's sealing key, as he said.
    """

    part_id: PartId
    payload_sha256: Sha256Hex
    epoch: int
    header: bytes


@dataclass(frozen=True)
class AgreementLocks:
    """The two locks of one agreement in force: its sealing key and its custody."""

    agreement_id: AgreementId
    epoch: int
    recipient: str
    custody: Literal["sealed", "standing"]

    @property
    def key_id(self) -> str:
        """The agreement's key-encryption key in the key manager."""
        return key_id_of(self.agreement_id)


def key_id_of(agreement_id: AgreementId) -> str:
    """Return the id of an agreement's key-encryption key in the key manager."""
    return f"agreement-{agreement_id}"


@dataclass(frozen=True)
class WrittenHeader:
    """A header record that now exists, as the ledger's event names it."""

    agreement_id: AgreementId
    part_id: PartId
    lock: Lock
    epoch: int
    commitment: Sha256Hex


def write_lasting_headers(
    session: Session,
    keys: KeyManager,
    product_id: ProductId,
    deposit_id: DepositId,
    parts: Sequence[StoredPart],
    locks: Sequence[AgreementLocks],
    now: datetime,
) -> tuple[WrittenHeader, ...]:
    """Write whatever is missing and return every header record of the deposit; repeatable.

    Args:
        session: written to.
        keys: of the keyholder.
        product_id, deposit_id: whose headers.
        parts: of the deposit, with the headers that the portal made.
        locks: of every agreement in force.
        now: aware UTC.

    Raises:
        LaneMissing, LaneClosed: the file keys are out of reach.
        HeaderMalformed, HeaderForged, NoIdentityMatches: a lane header is not the portal's.
        CommitmentBroken: a lane header holds another key now than when the first was written.
    """
    rows = records.header_records_of(session, deposit_id)
    there = {(row.agreement_id, row.part_id, row.lock) for row in rows}
    lane = kept_lane_identity(session, keys, deposit_id)
    file_keys = {part.part_id: open_header(part.lane_header, [lane]) for part in parts}
    # One payload may open under two keys: no agreement gets another than those before it.
    for row in rows:
        if (file_key := file_keys.get(PartId(row.part_id))) is not None:
            check_commitment(row.commitment_salt, file_key, row.commitment)
    for lock in locks:
        if not keys.has_key(lock.key_id):
            keys.create_key(lock.key_id)
        for part in parts:
            file_key = file_keys[part.part_id]
            for kind, content in _contents(file_key, lock).items():
                # Written before a crash: its salt and commitment may be in the ledger already.
                if (lock.agreement_id, part.part_id, kind) in there:
                    continue
                binding = _binding(product_id, deposit_id, part, lock, kind)
                salt = new_salt()
                committed = file_key_commitment(salt, file_key)
                row = _row(keys, lock.key_id, binding, content, salt, committed, now)
                records.add(session, row)
    return _written(session, deposit_id)


def write_client_headers(
    session: Session,
    keys: KeyManager,
    product_id: ProductId,
    deposit_id: DepositId,
    parts: Sequence[ClientSealedPart],
    locks: Mapping[int, AgreementLocks],
    now: datetime,
) -> tuple[WrittenHeader, ...]:
    """Put Lock B around the headers of parts that their vendor sealed.

    Their Lock A is the vendor's own, so each has one header, to one key; what it opens to nobody
    knows, and the header itself is committed to.

    Args:
        locks: of the one agreement that they serve, by epoch.
    """
    for part in parts:
        lock, header, salt = locks[part.epoch], part.header, new_salt()
        if not keys.has_key(lock.key_id):
            keys.create_key(lock.key_id)
        binding = _binding(product_id, deposit_id, part, lock, CLIENT_LOCK)
        committed = header_commitment(salt, header)
        row = _row(keys, lock.key_id, binding, header, salt, committed, now)
        records.add(session, row)
    return _written(session, deposit_id)


def open_file_keys(
    session: Session,
    keys: KeyManager,
    permit: Permit,
    deposit_id: DepositId,
    parts: Sequence[StoredPart],
    now: datetime,
) -> bytes:
    """Return the deposit's file keys as a small age file for the permit's recipient alone.

    Raises:
        PermitRefused: the permit is for something else, or expired.
        LaneMissing, LaneClosed: the lane is gone.
        CommitmentBroken: a lane header no longer holds the key that was committed to, or
            nothing was committed to.
    """
    permit.check_covers(Purpose.VERIFICATION, deposit_id, now)
    lane = lane_identity(session, keys, deposit_id, now)
    rows = records.header_records_of(session, deposit_id)
    opened: dict[str, object] = {}
    for part in parts:
        file_key = _committed_key(part, lane)
        committed = [row for row in rows if row.part_id == part.part_id]
        if not committed:
            raise CommitmentBroken(
                f"No lasting header of part {part.part_id} was written.",
                "Have the headers of the deposit written first.",
            )
        for row in committed:
            check_commitment(row.commitment_salt, file_key, row.commitment)
        opened[part.part_id] = base64.b64encode(file_key.raw).decode()
    return encrypt_bytes(canonical_json(opened), [parse_recipient(permit.recipient)])


def _committed_key(part: StoredPart, lane: Identity) -> FileKey:
    """Open a lane header that was opened once before, when its key was committed to."""
    try:
        return open_header(part.lane_header, [lane])
    except NoIdentityMatches as problem:
        # No mistaken reader: the lane is the same, so somebody exchanged the row.
        raise CommitmentBroken(
            f"The lane header of part {part.part_id} is another than the one committed to.",
            "Nothing was opened; the operator has to compare database and ledger.",
        ) from problem


def _written(session: Session, deposit_id: DepositId) -> tuple[WrittenHeader, ...]:
    return tuple(
        WrittenHeader(
            AgreementId(row.agreement_id),
            PartId(row.part_id),
            lock_of(row.lock),
            row.epoch,
            Sha256Hex(row.commitment),
        )
        for row in records.header_records_of(session, deposit_id)
    )


def _binding(
    product_id: ProductId,
    deposit_id: DepositId,
    part: StoredPart | ClientSealedPart,
    lock: AgreementLocks,
    kind: Lock,
) -> HeaderBinding:
    return HeaderBinding(
        agreement_id=lock.agreement_id,
        product_id=product_id,
        deposit_id=deposit_id,
        part_id=part.part_id,
        payload_sha256=part.payload_sha256,
        lock=kind,
        epoch=lock.epoch,
    )


def _contents(file_key: FileKey, lock: AgreementLocks) -> dict[Lock, bytes]:
    contents: dict[Lock, bytes] = {
        AGENTS_LOCK: wrap_file_key(file_key, [parse_recipient(lock.recipient)])
    }
    if lock.custody == "standing":
        contents["b"] = file_key.raw
    return contents


def _row(
    keys: KeyManager,
    key_id: str,
    binding: HeaderBinding,
    content: bytes,
    salt: str,
    committed: Sha256Hex,
    now: datetime,
) -> records.HeaderRecordRow:
    return records.HeaderRecordRow(
        agreement_id=binding.agreement_id,
        product_id=binding.product_id,
        deposit_id=binding.deposit_id,
        part_id=binding.part_id,
        lock=binding.lock,
        epoch=binding.epoch,
        payload_sha256=binding.payload_sha256,
        key_id=key_id,
        record=seal_header_record(keys, key_id, binding, content),
        commitment_salt=salt,
        commitment=committed,
        created_at=now,
    )
