"""A replica that lies, names that are no plain files, and a bucket that answers something else."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from escrow.ground.digests import Sha256Hex
from escrow.vault.errors import BlobStoreUnavailable
from escrow.vault.files import whole_of
from escrow.vault.storage import exports
from escrow.vault.storage.places import MAX_DOCUMENT_BYTES, FileShelf
from escrow.vault.storage.records import PRIMARY, REPLICA
from escrow.vault.storage.s3 import S3BlobStore, S3Shelf
from escrow.vault.storage.s3_wire import Bucket
from escrow.vault.storage.scrubbing import ScrubCounts
from tests.s3 import S3Server
from tests.storage import StoredWorld


@pytest.fixture
def world(tmp_path: Path) -> Iterator[StoredWorld]:
    made = StoredWorld(tmp_path)
    yield made
    made.close()


def _copied(world: StoredWorld, count: int = 3) -> list[str]:
    stored = [world.put() for _ in range(count)]
    world.replicator.round()
    return stored


def test_a_replica_that_shows_one_thing_and_gives_another(world, monkeypatch) -> None:
    """It is good when it is read to be checked, and bad when it is to be copied from."""
    stored = _copied(world)
    world.flip(world.file(PRIMARY, stored[1]))
    truly, asked = world.replica.blobs.open, []

    def lying(sha256: Sha256Hex):
        asked.append(sha256)
        is_lie = sha256 == stored[1] and asked.count(sha256) > 1
        return io.BytesIO(b"other") if is_lie else truly(sha256)

    monkeypatch.setattr(world.replica.blobs, "open", lying)
    counts = world.scrub()
    # The run ends all the same, having read everything else, and tells of this one.
    assert (counts.payloads, counts.repaired, counts.unrepairable) == (6, 0, 2)
    assert not world.primary.blobs.exists(Sha256Hex(stored[1]))
    monkeypatch.undo()
    world.clock.move(60)
    assert world.scrub().repaired == 1


@pytest.mark.parametrize("kind", ["symlink", "dangling", "folder", "fifo"])
@pytest.mark.parametrize("place", [PRIMARY, REPLICA])
def test_a_name_that_is_no_plain_file(world, place, kind) -> None:
    stored = _copied(world)
    path = world.file(place, stored[1])
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero" if kind == "symlink" else "nowhere")
    assert world.scrub() == ScrubCounts(payloads=6, bytes=1200, corrupted=1, repaired=1)
    assert path.is_file() and not path.is_symlink()


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b'{"records": [{"lock": "x", "epoch": 1, "a": "\\ud800"}]}',
        b'{"records": [{"lock": "x", "epoch": 1, "a": 1e999}]}',
        b'{"records": [{"lock": "x", "epoch": 1, "a": 99999999999999999999}]}',
        b'{"records": [["lock"], "lock", null]}',
        b'{"records": {"lock": 1}}',
    ],
)
def test_a_file_of_header_records_that_no_digest_can_be_taken_of(content) -> None:
    assert exports.unverified_records(content) == {}


class _Page(BaseHTTPRequestHandler):
    """What a proxy's sign-in page is: 200, whatever was asked."""

    def _say(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        page = self.server.page  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    do_GET = do_PUT = do_POST = do_DELETE = _say

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize("is_broken", [True, False])
def test_a_server_that_is_no_bucket(s3: S3Server, tmp_path: Path, is_broken: bool) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    server.page = b"<!doctype html><p>Please <b>sign in" if is_broken else b"<html/>"  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        endpoint = f"http://127.0.0.1:{server.server_port}"
        bucket = Bucket(s3.bucket(tmp_path, endpoint=endpoint), silence_seconds=1.0)
        if is_broken:
            with pytest.raises(BlobStoreUnavailable):
                list(S3BlobStore(bucket, tmp_path / "staging").names())
            with pytest.raises(BlobStoreUnavailable):
                S3Shelf(bucket).remove("header-records/x.json")
        content = os.urandom(9 * 1024 * 1024)
        staging = S3BlobStore(bucket, tmp_path / "other").stage()
        staging.append(content)
        with pytest.raises(BlobStoreUnavailable):
            staging.commit(Sha256Hex(hashlib.sha256(content).hexdigest()))
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    "page", [b"<html/>", b"<html><body>Please sign in</body></html>", b"<ListBucketResult/>", b"{}"]
)
def test_a_page_in_a_lists_place_is_no_empty_store(s3: S3Server, tmp_path: Path, page) -> None:
    """Well-formed or not: what does not name the bucket says nothing about what is in it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    server.page = page  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        endpoint = f"http://127.0.0.1:{server.server_port}"
        bucket = Bucket(s3.bucket(tmp_path, endpoint=endpoint), silence_seconds=1.0)
        with pytest.raises(BlobStoreUnavailable):
            list(S3BlobStore(bucket, tmp_path / "staging").names())
    finally:
        server.shutdown()
        server.server_close()


# --- without bound --------------------------------------------------------------------------------


class _Growing(io.RawIOBase):
    """A file to which somebody writes as fast as it is read."""

    def __init__(self, size: int) -> None:
        self.size, self.at, self.read_bytes = size, 0, 0

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.at = self.size if whence == io.SEEK_END else offset
        return self.at

    def readinto(self, buffer) -> int:
        self.read_bytes += len(buffer)
        if self.read_bytes > 100 * self.size:
            raise AssertionError("it is read for ever")
        return len(buffer)


def test_a_payload_that_grows_while_it_is_read() -> None:
    """Read to what it had, and one byte more, which makes it another."""
    growing = _Growing(3_000_000)
    assert sum(map(len, whole_of(growing))) == 3_000_001  # type: ignore[arg-type]


def test_a_payload_with_a_tail_is_corrupted(world) -> None:
    stored = _copied(world)
    path = world.file(REPLICA, stored[0])
    path.chmod(0o600)
    with path.open("ab") as file:
        file.write(b"x")
    counts = world.scrub()
    assert (counts.corrupted, counts.repaired) == (1, 1)


@pytest.mark.parametrize("kind", ["files", "s3"])
def test_a_shelf_whose_document_has_no_end(s3: S3Server, tmp_path: Path, kind) -> None:
    """Not more of it is in memory than a document of ours could ever have."""
    shelf = S3Shelf(Bucket(s3.bucket(tmp_path))) if kind == "s3" else FileShelf(tmp_path)
    shelf.put("header-records/x.json", b"1" * (MAX_DOCUMENT_BYTES + 1_000_000))
    content = shelf.get("header-records/x.json")
    assert content is not None and len(content) == MAX_DOCUMENT_BYTES + 1


@pytest.mark.parametrize("kind", ["symlink", "fifo"])
def test_a_shelfs_name_that_is_no_plain_file(tmp_path: Path, kind) -> None:
    shelf, place = FileShelf(tmp_path), tmp_path / "x.json"
    os.mkfifo(place) if kind == "fifo" else place.symlink_to("/dev/zero")
    assert shelf.get("x.json") == b""
    shelf.put("x.json", b"{}")
    assert shelf.get("x.json") == b"{}"
    assert place.is_file() and not place.is_symlink()
