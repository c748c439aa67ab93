import base64
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from escrow.ground.signatures import SigningKey
from escrow.vault import records
from escrow.vault.age import (
    FileKey,
    decrypt_bytes,
    new_hybrid_identity,
    new_x25519_identity,
    open_header,
    parse_recipient,
    wrap_file_key,
)
from escrow.vault.errors import CommitmentBroken, LaneClosed, NoIdentityMatches, PermitRefused
from escrow.vault.headers import HeaderBinding, open_header_record
from escrow.vault.lane_keeping import close_lane, open_lane
from escrow.vault.lasting_headers import (
    AgreementLocks,
    StoredPart,
    open_file_keys,
    write_lasting_headers,
)
from escrow.vault.permits import Permit, Purpose

SEALING = {name: new_hybrid_identity() for name in ("agr_1", "agr_2")}
LOCKS = [
    AgreementLocks("agr_1", 1, str(SEALING["agr_1"].recipient), "sealed"),
    AgreementLocks("agr_2", 3, str(SEALING["agr_2"].recipient), "standing"),
]
FILE_KEYS = {"prt_1": FileKey(b"1" * 16), "prt_2": FileKey(b"2" * 16)}
WORKER = new_x25519_identity()


@pytest.fixture
def parts(session, keys, now) -> list[StoredPart]:
    signer = SigningKey.generate()
    lane = open_lane(session, keys, signer, "prd_1", "dep_1", now, timedelta(hours=72))
    recipient = parse_recipient(lane.recipient)
    return [
        StoredPart(part_id, "ab" * 32, wrap_file_key(key, [recipient]))
        for part_id, key in FILE_KEYS.items()
    ]


@pytest.fixture
def permit(now) -> Permit:
    expires_at = now + timedelta(minutes=5)
    recipient = str(WORKER.recipient)
    return Permit(Purpose.VERIFICATION, "dep_1", None, recipient, "cd" * 32, expires_at)


def _write(session, keys, parts, now):
    return write_lasting_headers(session, keys, "prd_1", "dep_1", parts, LOCKS, now)


def test_every_agreement_and_part_gets_its_records(session, keys, parts, now) -> None:
    written = _write(session, keys, parts, now)
    assert {(one.agreement_id, one.part_id, one.lock, one.epoch) for one in written} == {
        ("agr_1", "prt_1", "a+b", 1),
        ("agr_1", "prt_2", "a+b", 1),
        *(("agr_2", part, lock, 3) for part in ("prt_1", "prt_2") for lock in ("a+b", "b")),
    }


def test_both_locks_together_give_the_file_key(session, keys, parts, now) -> None:
    _write(session, keys, parts, now)
    row = records.header_record(session, "agr_1", "dep_1", "prt_2", "a+b")
    binding = HeaderBinding("agr_1", "prd_1", "dep_1", "prt_2", "ab" * 32, "a+b", 1)
    header = open_header_record(keys, "agreement-agr_1", binding, row.record)
    assert open_header(header, [SEALING["agr_1"]]) == FILE_KEYS["prt_2"]
    with pytest.raises(NoIdentityMatches):
        open_header(header, [SEALING["agr_2"]])


def test_standing_custody_opens_under_lock_b_alone(session, keys, parts, now) -> None:
    _write(session, keys, parts, now)
    row = records.header_record(session, "agr_2", "dep_1", "prt_1", "b")
    binding = HeaderBinding("agr_2", "prd_1", "dep_1", "prt_1", "ab" * 32, "b", 3)
    opened = open_header_record(keys, "agreement-agr_2", binding, row.record)
    assert opened == FILE_KEYS["prt_1"].raw
    assert records.header_record(session, "agr_1", "dep_1", "prt_1", "b") is None


def test_writing_again_only_adds_what_is_missing(session, keys, parts, now) -> None:
    begun = _write(session, keys, parts[:1], now)
    whole = _write(session, keys, parts, now)
    assert set(begun) < set(whole)
    assert _write(session, keys, parts, now) == whole


def test_the_worker_gets_exactly_the_committed_keys(session, keys, parts, permit, now) -> None:
    _write(session, keys, parts, now)
    opened = json.loads(
        decrypt_bytes(open_file_keys(session, keys, permit, "dep_1", parts, now), [WORKER])
    )
    assert {part: base64.b64decode(key) for part, key in opened.items()} == {
        part: key.raw for part, key in FILE_KEYS.items()
    }


def test_an_exchanged_lane_header_is_found(session, keys, parts, permit, now) -> None:
    _write(session, keys, parts, now)
    lane = parse_recipient(records.lane_of(session, "dep_1").recipient)
    forged = replace(parts[0], lane_header=wrap_file_key(FileKey.generate(), [lane]))
    with pytest.raises(CommitmentBroken):
        open_file_keys(session, keys, permit, "dep_1", [forged, parts[1]], now)


def test_no_agreement_gets_another_key_than_those_before_it(session, keys, parts, now) -> None:
    """A portal that exchanges the lane header between two writings: two keys for one payload."""
    write_lasting_headers(session, keys, "prd_1", "dep_1", parts, LOCKS[:1], now)
    lane = parse_recipient(records.lane_of(session, "dep_1").recipient)
    forged = replace(parts[0], lane_header=wrap_file_key(FileKey.generate(), [lane]))
    with pytest.raises(CommitmentBroken):
        _write(session, keys, [forged, parts[1]], now)
    rows = records.header_records_of(session, "dep_1")
    assert {row.agreement_id for row in rows} == {"agr_1"}


def test_nothing_is_opened_before_it_is_committed_to(session, keys, parts, permit, now) -> None:
    with pytest.raises(CommitmentBroken):
        open_file_keys(session, keys, permit, "dep_1", parts, now)


@pytest.mark.parametrize(
    "change", ({"purpose": Purpose.RELEASE}, {"deposit_id": "dep_2"}, {"expires_at": None})
)
def test_a_permit_for_something_else_opens_nothing(session, keys, parts, permit, now, change):
    _write(session, keys, parts, now)
    other = replace(permit, **{name: value or now for name, value in change.items()})
    with pytest.raises(PermitRefused):
        open_file_keys(session, keys, other, "dep_1", parts, now)


def test_after_the_verdict_only_the_agents_open(session, keys, parts, permit, now) -> None:
    _write(session, keys, parts, now)
    close_lane(session, keys, "dep_1", now)
    with pytest.raises(LaneClosed):
        open_file_keys(session, keys, permit, "dep_1", parts, now)
