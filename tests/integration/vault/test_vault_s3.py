"""The store in a bucket against a server that fails, locks, and is not there; and its memory."""

import hashlib
import os
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import botocore.exceptions
import pytest

from escrow.ground.digests import Sha256Hex
from escrow.ground.storage_settings import S3Settings
from escrow.vault.age import FileKey
from escrow.vault.errors import BlobMissing, BlobStoreUnavailable
from escrow.vault.sealing import PayloadSealer, open_payload
from escrow.vault.storage.s3 import S3BlobStore, S3Shelf
from escrow.vault.storage.s3_wire import Bucket
from tests.s3 import Faults, S3Server, failing_proxy

ROOT = Path(__file__).parents[3]
MIB = 1024 * 1024


def _store(settings: S3Settings, folder: Path, silence_seconds: float = 1.0) -> S3BlobStore:
    return S3BlobStore(Bucket(settings, silence_seconds=silence_seconds), folder / "staging")


def _put(store: S3BlobStore, content: bytes) -> Sha256Hex:
    digest = Sha256Hex(hashlib.sha256(content).hexdigest())
    staging = store.stage()
    staging.append(content)
    staging.commit(digest)
    return digest


def test_a_fifth_of_all_requests_fail_and_nothing_is_lost(s3: S3Server, tmp_path: Path) -> None:
    faults = Faults(rate=0.2)
    with failing_proxy(s3, faults) as endpoint:
        store = _store(s3.bucket(tmp_path, endpoint=endpoint), tmp_path)
        made = random.Random(1)
        contents = [made.randbytes(made.randrange(200_000)) for _ in range(40)]
        contents.append(made.randbytes(17 * MIB))
        digests = [_put(store, content) for content in contents]
        for digest, content in zip(digests, contents, strict=True):
            with store.open(digest) as file:
                assert b"".join(iter(lambda: file.read(MIB), b"")) == content
        assert set(store.names()) == set(digests)
    assert len(faults.counted) == len(faults.kinds)
    assert list((tmp_path / "staging").iterdir()) == []


def test_a_silent_server_is_asked_again(s3: S3Server, tmp_path: Path) -> None:
    faults = Faults(rate=0.15, kinds=("silent",), silence_seconds=1.5)
    with failing_proxy(s3, faults) as endpoint:
        store = _store(s3.bucket(tmp_path, endpoint=endpoint), tmp_path, silence_seconds=0.7)
        for number in range(6):
            store.check(_put(store, os.urandom(10_000 + number)))
    assert faults.counted["silent"] > 0


@pytest.mark.parametrize("size", (1000, 9 * MIB))
def test_a_server_that_always_fails_shows_nothing_and_keeps_the_staging(
    s3: S3Server, tmp_path: Path, size: int
) -> None:
    faults = Faults(rate=0.0, kinds=("refused",))
    content = os.urandom(size)
    digest = Sha256Hex(hashlib.sha256(content).hexdigest())
    with failing_proxy(s3, faults) as endpoint:
        settings = s3.bucket(tmp_path, endpoint=endpoint)
        store = _store(settings, tmp_path)
        staging = store.stage()
        staging.append(content)
        faults.rate = 1.0
        with pytest.raises(BlobStoreUnavailable):
            staging.commit(digest)
        faults.rate = 0.0
        with pytest.raises(BlobMissing):
            store.open(digest)
        assert list(store.names()) == []
        store.reopen(staging.name).commit(digest)
        store.check(digest)


def test_an_upload_that_is_broken_off_shows_nothing(s3: S3Server, tmp_path: Path) -> None:
    settings = s3.bucket(tmp_path)
    store = _store(settings, tmp_path)
    content = os.urandom(9 * MIB)
    digest = Sha256Hex(hashlib.sha256(content).hexdigest())
    staging = store.stage()
    staging.append(content)
    complete = store._bucket.writing.complete_multipart_upload

    def killed(**_: object) -> None:
        raise KeyboardInterrupt

    store._bucket.writing.complete_multipart_upload = killed
    with pytest.raises(KeyboardInterrupt):
        staging.commit(digest)
    assert not store.exists(digest)
    store._bucket.writing.complete_multipart_upload = complete
    store.reopen(staging.name).commit(digest)
    store.check(digest)
    assert "Uploads" not in s3.client.list_multipart_uploads(Bucket=settings.bucket)


def test_a_wrong_access_key_is_unavailable_and_never_missing(s3: S3Server, tmp_path: Path) -> None:
    settings = s3.bucket(tmp_path)
    digest = _put(_store(settings, tmp_path), b"there")
    settings.credentials_file.write_text('access_key_id = "trial"\nsecret_access_key = "no"\n')
    store = _store(settings, tmp_path)
    for ask in (store.open, store.exists, store.check):
        with pytest.raises(BlobStoreUnavailable) as caught:
            ask(digest)
        assert s3.secret_access_key not in str(caught.value)


def test_a_bucket_that_is_not_there_is_said_at_once(s3: S3Server, tmp_path: Path) -> None:
    settings = s3.bucket(tmp_path)
    s3.client.delete_bucket(Bucket=settings.bucket)
    with pytest.raises(BlobStoreUnavailable, match="no bucket"):
        _store(settings, tmp_path).check_usable()


def test_a_lock_on_a_bucket_without_one_is_said_at_once(s3: S3Server, tmp_path: Path) -> None:
    settings = s3.bucket(tmp_path)
    object.__setattr__(settings, "lock", "compliance")
    object.__setattr__(settings, "lock_days", 30)
    with pytest.raises(BlobStoreUnavailable):
        _store(settings, tmp_path).check_usable()


@pytest.mark.parametrize("size", (1000, 9 * MIB))
def test_a_locked_payload_cannot_be_destroyed_and_a_header_record_can(
    s3: S3Server, tmp_path: Path, size: int
) -> None:
    settings = s3.bucket(tmp_path, lock="compliance", lock_days=30)
    store, shelf = _store(settings, tmp_path), S3Shelf(Bucket(settings))
    store.check_usable()
    digest = _put(store, os.urandom(size))
    key = {"Bucket": settings.bucket, "Key": f"payloads/{digest}"}
    held = s3.client.get_object_retention(**key)["Retention"]
    assert held["Mode"] == "COMPLIANCE"
    assert held["RetainUntilDate"] > datetime.now(UTC) + timedelta(days=29)
    version = s3.client.head_object(**key)["VersionId"]
    with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
        s3.client.delete_object(**key, VersionId=version, BypassGovernanceRetention=True)
    for content in (b"first", b"second"):
        shelf.put("header-records/a/d/p.json", content)
    assert shelf.get("header-records/a/d/p.json") == b"second"
    shelf.remove("header-records/a/d/p.json")
    left = s3.client.list_object_versions(Bucket=settings.bucket, Prefix="header-records/")
    assert "Versions" not in left
    assert shelf.get("header-records/a/d/p.json") is None


def test_a_sealing_is_resumed_from_its_staging_and_read_back(s3: S3Server, tmp_path: Path) -> None:
    settings, file_key = s3.bucket(tmp_path), FileKey.generate()
    content, scratch = random.Random(9).randbytes(10 * MIB + 7), tmp_path / "scratch"
    store = _store(settings, tmp_path)
    staging = store.stage()
    sealer = PayloadSealer(staging, file_key, "identity", scratch=scratch)
    sealer.write(content[: 5 * MIB])
    sealer.checkpoint()
    sealer.suspend()
    resumed = PayloadSealer.resume(_store(settings, tmp_path).reopen(staging.name), scratch)
    resumed.write(content[resumed.received_bytes :])
    sealed = resumed.finish()
    with store.open(sealed.payload_sha256) as payload:
        assert b"".join(open_payload(payload, file_key, "identity")) == content


MEASURE = """
import resource, sys, hashlib, os
from pathlib import Path
from escrow.ground.storage_settings import S3Settings
from escrow.vault.storage.s3 import S3BlobStore
from escrow.vault.storage.s3_wire import Bucket
endpoint, bucket, key, folder, count = sys.argv[1:]
settings = S3Settings(endpoint, "us-east-1", bucket, Path(key), None, "none", 0)
store = S3BlobStore(Bucket(settings), Path(folder))
store.check_usable()
def put(pieces):
    staging, digest = store.stage(), hashlib.sha256()
    for _ in range(pieces):
        piece = os.urandom(1024 * 1024)
        digest.update(piece)
        staging.append(piece)
    staging.commit(digest.hexdigest())
    store.check(digest.hexdigest())
put(1)
idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
put(int(count))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle) // 1024)
"""


def test_a_stream_takes_at_most_64_mib_whatever_its_size(s3: S3Server, tmp_path: Path) -> None:
    settings = s3.bucket(tmp_path)
    arguments = [s3.endpoint, settings.bucket, str(settings.credentials_file)]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *arguments, str(tmp_path / "staging"), "192"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) <= 64
