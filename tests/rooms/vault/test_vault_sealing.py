import hashlib
import secrets
from pathlib import Path

import pytest

from escrow.vault.age import FileKey
from escrow.vault.blobs import FileBlobStore
from escrow.vault.errors import SealingLost, SealingOver
from escrow.vault.sealing import MAX_SEGMENTS, PayloadSealer, open_payload
from escrow.vault.segments import SEGMENT_BYTES

TEXT = b"int main(void) { return 0; }\n" * 120_000


def _open(store: FileBlobStore, file_key: FileKey, sealed) -> bytes:
    return b"".join(
        open_payload(store.open(sealed.payload_sha256), file_key, sealed.encoding, sealed)
    )


@pytest.mark.parametrize(
    "size", (0, 1, 65_535, 65_536, 65_537, SEGMENT_BYTES, SEGMENT_BYTES + 1, 3 * SEGMENT_BYTES)
)
@pytest.mark.parametrize("encoding", ("auto", "identity", "zstd"))
def test_a_part_comes_out_as_it_went_in(store, file_key, size: int, encoding) -> None:
    data = TEXT[:size]
    sealer = PayloadSealer(store.stage(), file_key, encoding)
    sealer.write(data)
    sealed = sealer.finish()
    assert _open(store, file_key, sealed) == data
    assert (sealed.sha256, sealed.size_bytes) == (hashlib.sha256(data).hexdigest(), size)
    assert store.size_bytes(sealed.payload_sha256) == sealed.payload_size_bytes
    store.check(sealed.payload_sha256)


def test_the_pieces_in_which_a_part_comes_do_not_matter(store, file_key) -> None:
    sealed = []
    for step in (7_001, 65_536, 400_000, len(TEXT)):
        sealer = PayloadSealer(store.stage(), file_key)
        for at in range(0, len(TEXT), step):
            sealer.write(memoryview(TEXT)[at : at + step])
        sealed.append(sealer.finish())
    assert {one.sha256 for one in sealed} == {hashlib.sha256(TEXT).hexdigest()}
    assert {_open(store, file_key, one) for one in sealed} == {TEXT}


def test_a_buffer_may_be_used_again_after_the_call(store, file_key) -> None:
    sealer = PayloadSealer(store.stage(), file_key)
    buffer = bytearray(b"a" * 50_000)
    sealer.write(buffer)
    buffer[:] = b"b" * 50_000
    sealer.write(buffer)
    assert _open(store, file_key, sealer.finish()) == b"a" * 50_000 + b"b" * 50_000


def test_a_file_is_read_without_a_copy_in_between(store, file_key, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(TEXT)
    sealer = PayloadSealer(store.stage(), file_key)
    sealer.write(b"head\n")
    with (tmp_path / "part").open("rb", buffering=0) as file:
        sealer.write_from(file)
    assert _open(store, file_key, sealer.finish()) == b"head\n" + TEXT


@pytest.mark.parametrize(
    ("data", "encoding"),
    ((TEXT, "zstd"), (secrets.token_bytes(2 * SEGMENT_BYTES), "identity"), (b"", "identity")),
)
def test_auto_compresses_where_it_pays(store, file_key, data: bytes, encoding: str) -> None:
    sealer = PayloadSealer(store.stage(), file_key)
    sealer.write(data)
    sealed = sealer.finish()
    assert sealed.encoding == encoding
    assert (sealed.payload_size_bytes < len(data)) == (encoding == "zstd")


def test_buffers_are_used_again_and_not_multiplied(store, file_key) -> None:
    sealer = PayloadSealer(store.stage(), file_key, "identity")
    for _ in range(4 * MAX_SEGMENTS):
        sealer.write(TEXT[:SEGMENT_BYTES])
    assert sealer._segments <= MAX_SEGMENTS
    sealer.finish()


def test_plaintext_is_in_no_file_of_the_store(store, file_key, tmp_path: Path) -> None:
    sealer = PayloadSealer(store.stage(), file_key, "identity")
    sealer.write(TEXT)
    sealer.finish()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 1
    assert b"return 0" not in files[0].read_bytes()


def test_discarding_leaves_nothing(store, file_key, tmp_path: Path) -> None:
    sealer = PayloadSealer(store.stage(), file_key, scratch=tmp_path / "scratch")
    sealer.write(TEXT)
    sealer.checkpoint()
    sealer.discard()
    sealer.discard()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert not (tmp_path / "scratch").exists()


def test_a_finished_sealing_takes_no_more(store, file_key) -> None:
    sealer = PayloadSealer(store.stage(), file_key)
    sealer.write(b"all")
    sealer.finish()
    with pytest.raises(SealingOver):
        sealer.write(b"more")


def test_a_checkpoint_survives_the_process(store, file_key, tmp_path: Path) -> None:
    staging = store.stage()
    first = PayloadSealer(staging, file_key, scratch=tmp_path / "scratch")
    first.write(TEXT[:1_700_000])
    first.checkpoint()
    first.suspend()
    second = PayloadSealer.resume(store.reopen(staging.name), tmp_path / "scratch")
    assert second.received_bytes == 1_700_000
    assert second.file_key == file_key
    second.write(TEXT[1_700_000:])
    assert _open(store, file_key, second.finish()) == TEXT
    assert not (tmp_path / "scratch").exists()


def test_without_scratch_a_sealing_is_lost(store, file_key, tmp_path: Path) -> None:
    staging = store.stage()
    PayloadSealer(staging, file_key).suspend()
    with pytest.raises(SealingLost):
        PayloadSealer.resume(store.reopen(staging.name), tmp_path / "scratch")


def test_a_scratch_folder_serves_one_sealing(store, file_key, tmp_path: Path) -> None:
    sealer = PayloadSealer(store.stage(), file_key, scratch=tmp_path / "scratch")
    with pytest.raises(FileExistsError):
        PayloadSealer(store.stage(), file_key, scratch=tmp_path / "scratch")
    sealer.discard()
