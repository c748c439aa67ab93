"""What every blob store promises; each implementation inherits the suite and brings a store."""

import hashlib
import os
import random
from abc import abstractmethod
from pathlib import Path

import pytest

from escrow.ground.digests import Sha256Hex
from escrow.vault.blobs import BlobStaging, BlobStore, FileBlobStore
from escrow.vault.errors import BadBlobName, BlobCorrupted, BlobMissing, StagingMissing
from escrow.vault.storage.s3 import S3BlobStore
from escrow.vault.storage.s3_wire import Bucket
from tests.s3 import S3Server

CONTENT = b"sealed bytes " * 10_000
ABSENT = Sha256Hex("0" * 64)


def _put(store: BlobStore, content: bytes = CONTENT) -> Sha256Hex:
    staging = store.stage()
    staging.append(content)
    digest = Sha256Hex(hashlib.sha256(content).hexdigest())
    staging.commit(digest)
    return digest


class BlobStoreConformance:
    @abstractmethod
    def make_store(self, folder: Path) -> BlobStore: ...

    @abstractmethod
    def damage(self, store: BlobStore, sha256: Sha256Hex) -> None: ...

    @abstractmethod
    def stamp(self, store: BlobStore, sha256: Sha256Hex) -> object:
        """Return what changes when the blob is put anew."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> BlobStore:
        return self.make_store(tmp_path)

    def test_a_committed_blob_is_read_as_it_was_written(self, store: BlobStore) -> None:
        digest = _put(store)
        with store.open(digest) as file:
            assert file.read() == CONTENT
        assert store.exists(digest)
        assert store.size_bytes(digest) == len(CONTENT)
        store.check(digest)

    def test_an_empty_blob_is_a_blob(self, store: BlobStore) -> None:
        digest = _put(store, b"")
        assert store.size_bytes(digest) == 0
        store.check(digest)

    def test_a_blob_is_invisible_until_committed(self, store: BlobStore) -> None:
        staging = store.stage()
        staging.append(CONTENT)
        staging.sync()
        digest = Sha256Hex(hashlib.sha256(CONTENT).hexdigest())
        assert not store.exists(digest)
        staging.discard()
        assert not store.exists(digest)

    def test_appending_keeps_the_order(self, store: BlobStore) -> None:
        staging = store.stage()
        for piece in (b"one ", bytearray(b"two "), memoryview(b"three")):
            staging.append(piece)
        with staging.open_reading() as file:
            assert file.read() == b"one two three"
        assert staging.size_bytes == 13
        staging.discard()

    def test_the_same_blob_twice_is_one_blob(self, store: BlobStore) -> None:
        assert _put(store) == _put(store)
        store.check(_put(store))
        assert store.sweep_staging() == 0

    def test_a_staging_is_continued_by_its_name(self, store: BlobStore) -> None:
        staging = store.stage()
        staging.append(b"begun ")
        staging.close()
        again = store.reopen(staging.name)
        again.append(b"and ended")
        digest = Sha256Hex(hashlib.sha256(b"begun and ended").hexdigest())
        again.commit(digest)
        store.check(digest)

    def test_a_staging_that_ended_cannot_be_continued(self, store: BlobStore) -> None:
        ended: list[BlobStaging] = [store.stage(), store.stage()]
        ended[0].discard()
        ended[1].commit(Sha256Hex(hashlib.sha256().hexdigest()))
        for staging in ended:
            with pytest.raises(StagingMissing):
                store.reopen(staging.name)

    @pytest.mark.parametrize("name", ("", "..", "../x", "no-such", "/etc/passwd"))
    def test_a_name_that_is_no_staging_is_refused(self, store: BlobStore, name: str) -> None:
        with pytest.raises(StagingMissing):
            store.reopen(name)

    def test_discarding_twice_is_discarding(self, store: BlobStore) -> None:
        staging = store.stage()
        staging.discard()
        staging.discard()
        assert store.sweep_staging() == 0

    def test_the_sweep_spares_what_is_named(self, store: BlobStore) -> None:
        kept, swept = store.stage(), store.stage()
        kept.append(b"kept")
        kept.close()
        swept.close()
        assert store.sweep_staging(keep=[kept.name]) == 1
        assert store.reopen(kept.name).size_bytes == 4
        with pytest.raises(StagingMissing):
            store.reopen(swept.name)

    def test_the_sweep_spares_every_blob(self, store: BlobStore) -> None:
        digest = _put(store)
        assert store.sweep_staging() == 0
        store.check(digest)

    def test_absent_is_another_alarm_than_damaged(self, store: BlobStore) -> None:
        digest = _put(store)
        self.damage(store, digest)
        with pytest.raises(BlobCorrupted):
            store.check(digest)
        for ask in (store.open, store.size_bytes, store.check):
            with pytest.raises(BlobMissing):
                ask(ABSENT)
        assert not store.exists(ABSENT)

    @pytest.mark.parametrize("name", ("", "abc", "A" * 64, "../" + "a" * 61, "g" * 64))
    def test_a_name_that_is_no_digest_is_refused(self, store: BlobStore, name: str) -> None:
        for ask in (store.open, store.exists, store.size_bytes, store.check):
            with pytest.raises(BadBlobName):
                ask(Sha256Hex(name))

    def test_what_is_set_aside_is_gone_from_its_name_and_can_be_put_again(self, store) -> None:
        digest = _put(store)
        self.damage(store, digest)
        store.set_aside(digest)
        assert not store.exists(digest)
        with pytest.raises(BlobMissing):
            store.set_aside(digest)
        _put(store)
        store.check(digest)

    def test_what_is_deleted_is_gone_and_gone_twice_is_gone(self, store: BlobStore) -> None:
        digest, other = _put(store), _put(store, b"another")
        store.delete(digest)
        store.delete(digest)
        assert not store.exists(digest)
        store.check(other)

    def test_names_are_told_in_order(self, store: BlobStore) -> None:
        stored = sorted(_put(store, bytes([number])) for number in range(20))
        store.stage().append(b"no blob")
        store.set_aside(stored[3])
        assert list(store.names()) == stored[:3] + stored[4:]

    def test_a_large_blob_is_read_in_pieces_of_any_size(self, store: BlobStore) -> None:
        content = random.Random(3).randbytes(9_500_000)
        digest = _put(store, content)
        with store.open(digest) as file:
            assert b"".join(iter(lambda: file.read(1_234_567), b"")) == content
        store.check(digest)
        assert _put(store, content) == digest

    def test_a_good_blob_is_not_put_again(self, store: BlobStore) -> None:
        digest = _put(store)
        before = self.stamp(store, digest)
        _put(store)
        assert self.stamp(store, digest) == before


class TestFileBlobStore(BlobStoreConformance):
    def make_store(self, folder: Path) -> FileBlobStore:
        return FileBlobStore(folder / "blobs")

    def damage(self, store: BlobStore, sha256: Sha256Hex) -> None:
        path = self._file(store, sha256)
        path.chmod(0o644)
        path.write_bytes(b"x" + path.read_bytes()[1:])

    def stamp(self, store: BlobStore, sha256: Sha256Hex) -> object:
        return self._file(store, sha256).stat().st_ino

    def _file(self, store: BlobStore, sha256: Sha256Hex) -> Path:
        assert isinstance(store, FileBlobStore)
        return store.prepare_place(sha256)

    def test_files_fan_out_by_digest_and_are_read_only(self, store: BlobStore) -> None:
        digest = _put(store)
        path = self._file(store, digest)
        assert path.parts[-4:] == ("objects", digest[:2], digest[2:4], digest)
        assert path.stat().st_mode & 0o777 == 0o444
        assert path.stat().st_nlink == 1

    def test_another_store_on_the_folder_sees_the_same(self, store: BlobStore, tmp_path) -> None:
        digest = _put(store)
        self.make_store(tmp_path).check(digest)

    def test_a_torn_blob_is_replaced_by_a_whole_one(self, store: BlobStore) -> None:
        digest = _put(store)
        path = self._file(store, digest)
        path.chmod(0o644)
        path.write_bytes(CONTENT[:100])
        _put(store)
        store.check(digest)

    def test_a_crash_after_linking_leaves_the_blob_and_a_staging(self, store, tmp_path) -> None:
        staging = store.stage()
        staging.append(CONTENT)
        digest = Sha256Hex(hashlib.sha256(CONTENT).hexdigest())
        os.link(tmp_path / "blobs" / "staging" / staging.name, store.prepare_place(digest))
        staging.close()
        assert store.sweep_staging() == 1
        store.check(digest)

    def test_the_sweep_of_one_process_takes_nothing_from_another(self, tmp_path: Path) -> None:
        portal, worker = (
            FileBlobStore(tmp_path / "blobs", f"staging-{role}") for role in ("portal", "worker")
        )
        staging = worker.stage()
        staging.append(CONTENT)
        assert portal.sweep_staging() == 0
        staging.commit(Sha256Hex(hashlib.sha256(CONTENT).hexdigest()))
        portal.check(Sha256Hex(hashlib.sha256(CONTENT).hexdigest()))

    def test_whoever_may_write_the_root_may_write_below(self, tmp_path: Path) -> None:
        root = tmp_path / "blobs"
        root.mkdir()
        root.chmod(0o2770)
        digest = _put(FileBlobStore(root))
        folders = [path for path in root.rglob("*") if path.is_dir()]
        assert len(folders) == 4
        assert {path.stat().st_mode & 0o7777 for path in folders} == {0o2770}
        assert (root / "objects" / digest[:2] / digest[2:4] / digest).is_file()


class TestFlatFileBlobStore(TestFileBlobStore):
    def make_store(self, folder: Path) -> FileBlobStore:
        return FileBlobStore(folder / "blobs", flat=True)

    def test_files_fan_out_by_digest_and_are_read_only(self, store: BlobStore) -> None:
        digest = _put(store)
        assert self._file(store, digest).parts[-2:] == ("payloads", digest)


class TestS3BlobStore(BlobStoreConformance):
    @pytest.fixture(autouse=True)
    def _bucket(self, s3: S3Server, tmp_path: Path) -> None:
        self.server, self.bucket = s3, s3.bucket(tmp_path)

    def make_store(self, folder: Path) -> S3BlobStore:
        return S3BlobStore(Bucket(self.bucket), folder / "blobs" / "staging")

    def damage(self, store: BlobStore, sha256: Sha256Hex) -> None:
        name = {"Bucket": self.bucket.bucket, "Key": f"payloads/{sha256}"}
        content = self.server.client.get_object(**name)["Body"].read()
        self.server.client.put_object(**name, Body=b"x" + content[1:])

    def stamp(self, store: BlobStore, sha256: Sha256Hex) -> object:
        name = {"Bucket": self.bucket.bucket, "Key": f"payloads/{sha256}"}
        return self.server.client.head_object(**name)["LastModified"]

    def test_a_torn_object_is_replaced_by_a_whole_one(self, store: BlobStore) -> None:
        digest = _put(store)
        name = {"Bucket": self.bucket.bucket, "Key": f"payloads/{digest}"}
        self.server.client.put_object(**name, Body=CONTENT[:100])
        _put(store)
        store.check(digest)
