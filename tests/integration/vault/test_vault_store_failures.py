"""The store in files on a real full disk, its order of effects, and the two copies in buckets."""

import errno
import hashlib
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from escrow.ground.digests import Sha256Hex
from escrow.vault.blobs import FileBlobStore
from escrow.vault.errors import BlobCorrupted, BlobStoreUnavailable
from escrow.vault.storage.places import Place
from escrow.vault.storage.records import PRIMARY, REPLICA
from escrow.vault.storage.s3 import S3BlobStore, S3Shelf
from escrow.vault.storage.s3_wire import Bucket
from tests.s3 import S3Server
from tests.storage import StoredWorld

CONTENT = b"sealed bytes " * 1000
DIGEST = Sha256Hex(hashlib.sha256(CONTENT).hexdigest())


def test_the_bytes_are_durable_before_the_name_and_the_name_before_the_end(
    tmp_path: Path, monkeypatch
) -> None:
    store = FileBlobStore(tmp_path / "store")
    staging = store.stage()
    staging.append(CONTENT)
    seen: list[tuple[str, str]] = []

    def place(what: object) -> str:
        path = what if not isinstance(what, int) else Path(f"/proc/self/fd/{what}").readlink()
        return str(Path(path).relative_to(tmp_path / "store"))

    def traced(name: str, function):
        def call(*arguments, **options):
            seen.append((name, place(arguments[-1] if name == "link" else arguments[0])))
            return function(*arguments, **options)

        return call

    for name in ("link", "fsync", "unlink"):
        monkeypatch.setattr(os, name, traced(name, getattr(os, name)))
    staging.commit(DIGEST)
    monkeypatch.undo()
    folder = f"objects/{DIGEST[:2]}/{DIGEST[2:4]}"
    mine = f"staging/{staging.name}"
    assert seen[0] == ("fsync", mine)
    linked = seen.index(("link", f"{folder}/{DIGEST}"))
    # The folders that were new are durable names before anything is linked into them.
    assert {("fsync", "objects"), ("fsync", f"objects/{DIGEST[:2]}")} <= set(seen[1:linked])
    assert seen[linked + 1] == ("fsync", folder)
    assert seen[linked + 2 :] in ([], [("unlink", mine)])


FULL = """
import sys
from pathlib import Path
from escrow.vault.blobs import FileBlobStore
from escrow.vault.errors import BlobStoreUnavailable
store = FileBlobStore(Path(sys.argv[1]))
staging = store.stage()
try:
    for _ in range(100):
        staging.append(bytes(1024 * 1024))
    sys.exit("the disk took everything")
except BlobStoreUnavailable as problem:
    print(problem)
print(list(store.names()), staging.size_bytes)
staging.discard()
again = store.stage()
again.append(b"fits")
again.commit("658ace74701b4d47c76b8caba284b3c55c9c68eb3afe48a6abf97df4dfb15bec")
print(len(list(store.names())))
"""


def test_a_full_disk_is_told_names_nothing_and_is_well_once_there_is_room(tmp_path: Path) -> None:
    mounted = f'mount -t tmpfs -o size=8m tmpfs {tmp_path} && exec "$0" "$@"'
    command = ["unshare", "--mount", "sh", "-c", mounted, sys.executable, "-c", FULL]
    done = subprocess.run(
        [*command, str(tmp_path / "store")],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0, done.stderr
    said, named, after = done.stdout.splitlines()
    assert "No space left" in said
    assert named.startswith("[] ")
    assert after == "1"


def test_a_link_that_fails_leaves_the_staging_for_another_try(tmp_path: Path, monkeypatch) -> None:
    store = FileBlobStore(tmp_path / "store")
    staging = store.stage()
    staging.append(CONTENT)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(BlobStoreUnavailable):
        staging.commit(DIGEST)
    monkeypatch.undo()
    assert list(store.names()) == []
    store.reopen(staging.name).commit(DIGEST)
    store.check(DIGEST)


def test_a_sector_that_cannot_be_read_is_damage(tmp_path: Path, monkeypatch) -> None:
    store = FileBlobStore(tmp_path / "store")
    staging = store.stage()
    staging.append(CONTENT)
    staging.commit(DIGEST)

    class BadDisk(io.BytesIO):
        def read(self, _: int | None = -1) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(store, "open", lambda _: BadDisk(b"what lay there"))
    with pytest.raises(BlobCorrupted):
        store.check(DIGEST)


# --- two copies, one or both of them in buckets -----------------------------------------------


def _bucket_place(s3: S3Server, folder: Path, name: str) -> Place:
    folder.mkdir()
    bucket = Bucket(s3.bucket(folder, lock="governance", lock_days=7))
    return Place(name, S3BlobStore(bucket, folder / "staging"), S3Shelf(bucket))


@pytest.fixture(params=("files and s3", "s3 and s3"))
def world(request, s3: S3Server, tmp_path: Path) -> Iterator[StoredWorld]:
    made = StoredWorld(tmp_path, _bucket_place(s3, tmp_path / "second", REPLICA))
    if request.param == "s3 and s3":
        made.primary = _bucket_place(s3, tmp_path / "first", PRIMARY)
        made.start()
    yield made
    made.close()


def _damage(s3: S3Server, place: Place, key: str, content: bytes) -> None:
    s3.client.put_object(Bucket=place.blobs._bucket.name, Key=key, Body=content)


def test_a_bucket_is_filled_scrubbed_and_mended_under_a_lock(world, s3: S3Server) -> None:
    stored = [world.put() for _ in range(4)]
    key = world.write_header("prt_1")
    assert world.replicator.round().payloads == 4
    _damage(s3, world.replica, f"payloads/{stored[0]}", b"other bytes")
    s3.client.delete_object(Bucket=world.replica.blobs._bucket.name, Key=f"payloads/{stored[1]}")
    path = f"header-records/{'/'.join(key)}.json"
    good = world.replica.shelf.get(path)
    _damage(s3, world.replica, path, good[:-1] + b"?")
    counts = world.scrub()
    assert (counts.missing, counts.corrupted) == (1, 2)
    assert (counts.repaired, counts.unrepairable) == (3, 0)
    for digest in stored:
        world.replica.blobs.check(digest)
    assert world.replica.shelf.get(path) == good
    aside = s3.client.list_objects_v2(
        Bucket=world.replica.blobs._bucket.name, Prefix=f"set-aside/{stored[0]}"
    )
    assert aside["KeyCount"] == 1
    assert world.scrub().corrupted == 0


def test_a_primary_in_a_bucket_is_mended_from_the_second_copy(s3: S3Server) -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        world = StoredWorld(folder)
        world.primary = _bucket_place(s3, folder / "first", PRIMARY)
        world.start()
        digest = world.put()
        world.replicator.round()
        _damage(s3, world.primary, f"payloads/{digest}", b"torn")
        counts = world.scrub()
        assert (counts.corrupted, counts.repaired) == (1, 1)
        world.primary.blobs.check(digest)
        world.close()
