"""Header records as files of a replica: format, path and digest; pure (docs/storage.md)."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence

from escrow.ground.clock import rfc3339
from escrow.ground.digests import Sha256Hex, canonical_json, sha256_hex
from escrow.vault.records import HeaderRecordRow
from escrow.vault.storage.records import PartKey

FORMAT = "escrow-header-records/1"

Record = Mapping[str, object]
RecordKey = tuple[str, int]
"""Lock and epoch: tells the records of one part and agreement apart."""


def path_of(key: PartKey) -> str:
    """Return the path of a part's file."""
    agreement_id, deposit_id, part_id = key
    return f"header-records/{agreement_id}/{deposit_id}/{part_id}.json"


def record_of(row: HeaderRecordRow) -> Record:
    """Return a header record as it stands in the file."""
    return {
        "product_id": row.product_id,
        "payload_sha256": row.payload_sha256,
        "lock": row.lock,
        "epoch": row.epoch,
        "key_id": row.key_id,
        "record": base64.b64encode(row.record).decode(),
        "commitment": row.commitment,
        "commitment_salt": row.commitment_salt,
        "created_at": rfc3339(row.created_at),
    }


def key_of(record: Record) -> RecordKey:
    """Return what tells a record apart from the others of its file."""
    return str(record["lock"]), int(str(record["epoch"]))


def digest_of(record: Record) -> Sha256Hex:
    """Return the digest that is noted of a record."""
    return sha256_hex(canonical_json(record))


def document_of(key: PartKey, records: Sequence[Record]) -> bytes:
    """Return the bytes of a part's file; the same records give the same bytes."""
    agreement_id, deposit_id, part_id = key
    document = {
        "format": FORMAT,
        "agreement_id": agreement_id,
        "deposit_id": deposit_id,
        "part_id": part_id,
        "records": sorted(records, key=key_of),
    }
    return canonical_json(document)


def unverified_records(content: bytes) -> dict[RecordKey, Record]:
    """Return what a file says, by lock and epoch; nothing where it is no such file.

    Nothing in it counts before its digest was compared with the one that was noted.
    """
    try:
        found = json.loads(content)["records"]
        return {key_of(record): record for record in found if _has_digest(record)}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _has_digest(record: Record) -> bool:
    # The digest is all that a record is ever asked for; JSON can say what has none.
    try:
        digest_of(record)
    except ValueError:
        return False
    return True
