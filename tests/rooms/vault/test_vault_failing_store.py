"""A store that fails at some byte: errors reach the owner, nothing hangs, resuming goes on."""

import random
from pathlib import Path

import pytest

from escrow.vault.age import FileKey
from escrow.vault.blobs import FileBlobStore, FileStaging
from escrow.vault.errors import BlobStoreUnavailable, PayloadTampered, SealingLost
from escrow.vault.redo import RedoLog, boot_id
from escrow.vault.sealing import PayloadSealer, open_payload

DATA = random.Random(7).randbytes(10_240_000)


class FullStaging:
    """A staging whose disk is full after some bytes; the last append is torn."""

    def __init__(self, inner: FileStaging, room: int) -> None:
        self._inner = inner
        self._room = room

    def __getattr__(self, name: str):
        return getattr(self._inner, name)

    def append(self, data) -> None:
        fits = min(self._room, len(data))
        self._room -= fits
        self._inner.append(memoryview(data)[:fits])
        if fits < len(data):
            raise BlobStoreUnavailable("The disk is full.", "Make room.")


@pytest.mark.parametrize("room", (0, 10, 70_000, 1_100_000, 9_000_000))
@pytest.mark.parametrize("encoding", ("identity", "zstd"))
def test_a_full_disk_is_an_error_and_not_a_wait(store, file_key, room, encoding) -> None:
    sealer = PayloadSealer(FullStaging(store.stage(), room // 4), file_key, encoding)
    with pytest.raises(BlobStoreUnavailable):
        for at in range(0, len(DATA), 300_000):
            sealer.write(DATA[at : at + 300_000])
        sealer.finish()
    with pytest.raises(BlobStoreUnavailable):
        sealer.finish()
    sealer.discard()
    assert store.sweep_staging() == 0


def test_a_small_part_meets_a_full_disk_too(store, file_key) -> None:
    sealer = PayloadSealer(FullStaging(store.stage(), 5), file_key)
    sealer.write(b"small")
    for _ in range(2):
        with pytest.raises(BlobStoreUnavailable):
            sealer.finish()
    with pytest.raises(BlobStoreUnavailable):
        sealer.checkpoint()
    sealer.discard()


def test_what_a_full_disk_cut_off_is_completed_later(store, file_key, tmp_path: Path) -> None:
    staging = store.stage()
    sealer = PayloadSealer(
        FullStaging(staging, 1_500_001), file_key, "identity", scratch=tmp_path / "s"
    )
    with pytest.raises(BlobStoreUnavailable):
        sealer.write(DATA)
        sealer.checkpoint()
    sealer.suspend()
    resumed = PayloadSealer.resume(store.reopen(staging.name), tmp_path / "s")
    assert 1_048_576 <= resumed.received_bytes <= len(DATA)
    resumed.write(DATA[resumed.received_bytes :])
    sealed = resumed.finish()
    assert b"".join(open_payload(store.open(sealed.payload_sha256), file_key, "identity")) == DATA


def _interrupted(store: FileBlobStore, file_key: FileKey, scratch: Path) -> Path:
    staging = store.stage()
    sealer = PayloadSealer(staging, file_key, "identity", scratch=scratch)
    sealer.write(DATA[:2_500_000])
    sealer.checkpoint()
    sealer.suspend()
    return store._staging / staging.name


def test_staging_that_lost_its_end_is_not_resumed(store, file_key, tmp_path: Path) -> None:
    path = _interrupted(store, file_key, tmp_path / "s")
    path.open("r+b").truncate(65_552)
    with pytest.raises(SealingLost):
        PayloadSealer.resume(store.reopen(path.name), tmp_path / "s")


@pytest.mark.parametrize("at", (3, 70_000, 2_000_000, -1))
def test_staging_that_was_changed_is_not_resumed(store, file_key, tmp_path: Path, at) -> None:
    path = _interrupted(store, file_key, tmp_path / "s")
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(PayloadTampered):
        PayloadSealer.resume(store.reopen(path.name), tmp_path / "s")


def test_staging_that_grew_is_not_resumed(store, file_key, tmp_path: Path) -> None:
    path = _interrupted(store, file_key, tmp_path / "s")
    with path.open("ab") as file:
        file.write(b"x")
    with pytest.raises(PayloadTampered):
        PayloadSealer.resume(store.reopen(path.name), tmp_path / "s")


def test_scratch_from_before_the_machine_started_is_not_believed(store, file_key, tmp_path) -> None:
    path = _interrupted(store, file_key, tmp_path / "s")
    log = bytearray((tmp_path / "s" / "redo").read_bytes())
    (tmp_path / "s" / "redo").write_bytes(log.replace(boot_id(), bytes(16)))
    with pytest.raises(SealingLost, match="restart"):
        PayloadSealer.resume(store.reopen(path.name), tmp_path / "s")


def test_a_record_that_was_being_written_does_not_count(store, file_key, tmp_path: Path) -> None:
    path = _interrupted(store, file_key, tmp_path / "s")
    log, record = RedoLog.reopen(tmp_path / "s")
    log.close()
    redo = tmp_path / "s" / "redo"
    content = bytearray(redo.read_bytes())
    newest = max((content[at + 8 : at + 16][::-1], at) for at in (0, 4 * 1024 * 1024))
    # Little-endian numbers reversed compare as the log's sequence does.
    content[newest[1] : newest[1] + 8] = bytes(8)
    redo.write_bytes(content)
    log, older = RedoLog.reopen(tmp_path / "s")
    log.close()
    assert older.plaintext_offset + len(older.unframed) <= record.plaintext_offset + len(
        record.unframed
    )
    resumed = PayloadSealer.resume(store.reopen(path.name), tmp_path / "s")
    assert resumed.received_bytes == 2 * 1_048_576
    resumed.discard()


def test_a_log_without_a_whole_record_is_lost(tmp_path: Path) -> None:
    RedoLog.create(tmp_path / "s").close()
    with pytest.raises(SealingLost):
        RedoLog.reopen(tmp_path / "s")
