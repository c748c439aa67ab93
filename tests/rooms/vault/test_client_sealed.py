"""Parts that their vendor sealed: which files are taken, and that a taking goes on after a kill."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from pathlib import Path

import pytest

from escrow.vault import age, records
from escrow.vault.age_format import Stanza, render_mac_input, render_mac_line, split_header
from escrow.vault.blobs import FileBlobStore
from escrow.vault.client_sealed import (
    MAX_CLIENT_HEADER_BYTES,
    ClientSealedTaker,
    check_payload_size,
)
from escrow.vault.errors import (
    CommitmentBroken,
    HeaderRecordSwapped,
    NotClientSealed,
    SealingLost,
)
from escrow.vault.headers import (
    AGENTS_LOCK,
    CLIENT_LOCK,
    header_commitment,
    seal_header_record,
)
from escrow.vault.keys import FileKeyManager
from escrow.vault.releasing import binding_of, open_both_locks, open_if_possible

KEY = age.new_hybrid_identity()
PLAINTEXT = secrets.token_bytes(200_000)
SEALED = age.encrypt_bytes(PLAINTEXT, [KEY.recipient])
HEADER, PAYLOAD = split_header(SEALED)


def taken(
    store: FileBlobStore, folder: Path, content: bytes, piece: int = 1000
) -> ClientSealedTaker:
    taker = ClientSealedTaker(store.stage(), len(content), folder)
    for at in range(0, len(content), piece):
        taker.write(content[at : at + piece])
    return taker


@pytest.mark.parametrize("piece", [1, 50, 1626, 1627, 1628, 70_000, 300_000])
def test_file_of_stock_form_is_cut_into_header_and_payload(
    store: FileBlobStore, tmp_path: Path, piece: int
) -> None:
    content = SEALED if piece > 1 else age.encrypt_bytes(b"", [KEY.recipient])
    taker = taken(store, tmp_path / "scratch", content, piece)
    part = taker.finish()
    header, payload = split_header(content)
    assert (taker.header, part.size_bytes) == (header, len(content))
    assert part.sha256 == hashlib.sha256(content).hexdigest()
    assert part.payload_sha256 == hashlib.sha256(payload).hexdigest()
    with store.open(part.payload_sha256) as stored:
        assert stored.read() == payload
    assert not (tmp_path / "scratch").exists()


def test_taking_goes_on_from_every_place_after_a_kill(store: FileBlobStore, tmp_path: Path) -> None:
    for cut in (0, 10, 1000, len(HEADER), len(HEADER) + 5, 100_000):
        scratch, sink = tmp_path / f"scratch-{cut}", store.stage()
        killed = ClientSealedTaker(sink, len(SEALED), scratch)
        killed.write(SEALED[:cut])
        killed.checkpoint()
        sink.close()
        taker = ClientSealedTaker.resume(store.reopen(sink.name), len(SEALED), scratch)
        assert taker.received_bytes == cut
        taker.write(SEALED[cut:])
        assert taker.finish().sha256 == hashlib.sha256(SEALED).hexdigest()


def test_taking_without_its_scratch_is_lost(store: FileBlobStore, tmp_path: Path) -> None:
    with pytest.raises(SealingLost):
        ClientSealedTaker.resume(store.stage(), len(SEALED), tmp_path / "gone")
    scratch = tmp_path / "of-another-run"
    ClientSealedTaker(store.stage(), len(SEALED), scratch).write(SEALED[:500])
    kept = scratch / "client-header"
    kept.write_bytes(bytes(16) + kept.read_bytes()[16:])
    with pytest.raises(SealingLost, match="started anew"):
        ClientSealedTaker.resume(store.stage(), len(SEALED), scratch)


def header_of(*stanzas: Stanza) -> bytes:
    return render_mac_input(stanzas) + render_mac_line(bytes(32))


STANZA = KEY.recipient.wrap(age.FileKey.generate())
REFUSED = {
    "no age file": b"PK\x03\x04" + bytes(2000),
    "ASCII armour": b"-----BEGIN AGE ENCRYPTED FILE-----\n" + b"A" * 2000,
    "another version": b"age-encryption.org/v2\n" + bytes(2000),
    "passphrase": age.encrypt_bytes(b"x", [age.Passphrase("a b c", 2)]),
    "several recipients": age.encrypt_bytes(b"x", [KEY.recipient, KEY.recipient]),
    "kind 'X25519'": age.encrypt_bytes(b"x", [age.new_x25519_identity().recipient]),
    "malformed": header_of(Stanza("mlkem768x25519", ("AAAA",), bytes(32))) + PAYLOAD,
    "no end": b"age-encryption.org/v1\n-> x " + b"A" * MAX_CLIENT_HEADER_BYTES,
    "cut off": SEALED[: len(HEADER) + 16 + 65_552 + 9],
}


@pytest.mark.parametrize("why", list(REFUSED))
def test_anything_else_is_refused_with_its_reason(
    store: FileBlobStore, tmp_path: Path, why: str
) -> None:
    taker = ClientSealedTaker(store.stage(), len(REFUSED[why]), tmp_path / "scratch")
    with pytest.raises(NotClientSealed, match=why) as refusal:
        taker.write(REFUSED[why])
    assert "sealing-key" in refusal.value.remedy
    assert taker.is_refused
    with pytest.raises(NotClientSealed):
        taker.checkpoint()


def test_file_that_ends_within_its_header_is_refused(store: FileBlobStore, tmp_path: Path) -> None:
    with pytest.raises(NotClientSealed, match="no end"):
        taken(store, tmp_path / "a", HEADER[:900])
    with pytest.raises(NotClientSealed, match="ends before"):
        ClientSealedTaker(store.stage(), 0, tmp_path / "b").checkpoint()


def test_lengths_of_whole_payloads_are_those_that_age_gives() -> None:
    for size in (0, 1, 65_535, 65_536, 65_537, 131_072, 131_073):
        _, payload = split_header(age.encrypt_bytes(bytes(size), [KEY.recipient]))
        check_payload_size(len(payload))
    for size in (0, 15, 16, 31, 16 + 65_552 + 1, 16 + 65_552 + 16):
        with pytest.raises(NotClientSealed):
            check_payload_size(size)


def client_record(keys: FileKeyManager, header: bytes, now: datetime) -> records.HeaderRecordRow:
    keys.create_key("agreement-agr_1")
    row = records.HeaderRecordRow(
        agreement_id="agr_1",
        product_id="prd_1",
        deposit_id="dep_1",
        part_id="prt_1",
        lock=CLIENT_LOCK,
        epoch=1,
        payload_sha256="a" * 64,
        key_id="agreement-agr_1",
        record=b"",
        commitment_salt="00" * 16,
        commitment=header_commitment("00" * 16, header),
        created_at=now,
    )
    row.record = seal_header_record(keys, row.key_id, binding_of(row), header)
    return row


def test_a_client_record_opens_only_with_the_header_that_was_committed_to(
    keys: FileKeyManager, now: datetime
) -> None:
    row = client_record(keys, HEADER, now)
    opened = open_both_locks(keys, row, {1: KEY})
    assert opened == age.open_header(HEADER, [KEY])
    # Another header to the same key, wrapped for the same place by whoever had the key manager.
    other = age.wrap_file_key(age.FileKey.generate(), [KEY.recipient])
    row.record = seal_header_record(keys, row.key_id, binding_of(row), other)
    with pytest.raises(CommitmentBroken):
        open_if_possible(keys, row, {1: KEY})


def test_what_a_vendor_cannot_cause_is_no_header_that_does_not_open(
    keys: FileKeyManager, now: datetime
) -> None:
    row = client_record(keys, HEADER, now)
    assert open_if_possible(keys, row, {1: age.new_hybrid_identity()}) is None
    row.lock = AGENTS_LOCK
    with pytest.raises(HeaderRecordSwapped):
        open_if_possible(keys, row, {1: KEY})
