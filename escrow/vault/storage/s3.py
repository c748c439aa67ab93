"""A :class:`~escrow.vault.blobs.BlobStore` in a bucket, and a shelf for header records beside it.

Guarantees what the store in files does: a name appears only with all of its bytes, is never put a
second time over a good one, and the bytes that arrive are those that were staged, by the SHA-256
of every part. Staging is local ciphertext (docs/storage.md says why). Object Lock covers payloads
alone, never header records: those must be destructible on the day.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import obstore

from escrow.ground.clock import Clock, SystemClock
from escrow.ground.digests import Sha256Hex
from escrow.vault.blobs import FileStaging, StagingFolder, check_digest, check_name
from escrow.vault.errors import BlobLocked, BlobMissing, BlobStoreUnavailable
from escrow.vault.storage.places import MAX_DOCUMENT_BYTES
from escrow.vault.storage.s3_reading import PIECE_BYTES, ObjectReader
from escrow.vault.storage.s3_wire import Bucket, ObjectExists, ObjectMissing, asking

PAYLOADS: Final = "payloads/"
ASIDE: Final = "set-aside/"

# S3 takes no smaller parts than 5 MiB and no more than 10,000 of them: with the size growing
# behind 80 GiB the largest part that the service takes fits.
PART_BYTES: Final = 8 * 1024 * 1024
MAX_PARTS: Final = 10_000
# All parts under way at one time; a stream may have 64 MiB, and each part exists twice (in the
# client's request, too).
IN_FLIGHT_BYTES: Final = 24 * 1024 * 1024
# A completion whose answer was lost, or that met another's: so often it is looked up and tried.
MAX_COMPLETIONS: Final = 4


class S3BlobStore:
    """Payloads as ``payloads/<sha256>`` in a bucket.

    Args:
        bucket: with Object Lock where its settings ask for a retention.
        staging: a folder of this process alone, on a disk.
        clock: a retention counts from its now.
    """

    def __init__(self, bucket: Bucket, staging: Path, clock: Clock | None = None) -> None:
        self._bucket = bucket
        self._clock = clock or SystemClock()
        staging.parent.mkdir(parents=True, exist_ok=True)
        self._stagings = StagingFolder(staging, self)

    def check_usable(self) -> None:
        """Return when the bucket is there, and has Object Lock where a retention is asked for.

        Raises:
            BlobStoreUnavailable: it is not, or has none.
        """
        lock = self._bucket.settings.lock
        try:
            with asking(self._bucket):
                self._bucket.writing.head_bucket(Bucket=self._bucket.name)
                if lock != "none":
                    self._bucket.writing.get_object_lock_configuration(Bucket=self._bucket.name)
        except ObjectMissing as problem:
            raise BlobStoreUnavailable(
                f"There is no bucket {self._bucket.name}.", "Make it, or correct its name."
            ) from problem

    def stage(self) -> FileStaging:
        """Begin a new payload in a local file."""
        return self._stagings.stage()

    def reopen(self, name: str) -> FileStaging:
        """Open the local file of that name for appending."""
        return self._stagings.reopen(name)

    def take(self, path: Path, size_bytes: int, sha256: Sha256Hex) -> None:
        """Put a whole local file under its digest, where nothing stands there."""
        key = _key(sha256)
        stored = self._stored_size(key)
        if stored == size_bytes:
            return
        # Of another size: damaged later, and ours has just been hashed; see the store in files.
        put = _Put(self._bucket, key, self._lock(), replace=stored is not None)
        with path.open("rb") as file:
            put.whole(file.fileno(), size_bytes)

    def open(self, sha256: Sha256Hex) -> BinaryIO:
        """Return a reader by ranges; nothing is fetched before the first read."""
        key = _key(sha256)
        try:
            with asking(self._bucket):
                found = obstore.head(self._bucket.reading, key)
        except ObjectMissing:
            raise _missing(sha256) from None
        reader = ObjectReader(self._bucket, key, found["size"], found["e_tag"])
        return cast(BinaryIO, reader)

    def exists(self, sha256: Sha256Hex) -> bool:
        """Ask the server."""
        return self._stored_size(_key(sha256)) is not None

    def size_bytes(self, sha256: Sha256Hex) -> int:
        """Ask the server."""
        size = self._stored_size(_key(sha256))
        if size is None:
            raise _missing(sha256)
        return size

    def check(self, sha256: Sha256Hex) -> None:
        """Fetch and hash the whole object: an ETag is the server's word, not the bytes'."""
        check_digest(self, sha256)

    def names(self) -> Iterator[Sha256Hex]:
        """List the bucket, a page at a time; S3 lists in order."""
        with asking(self._bucket):
            pages = self._bucket.writing.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket.name, Prefix=PAYLOADS):
                # S3 names the bucket in each page. A proxy's page, which is well-formed XML now and
                # then, does not, and must not look like a store in which there is nothing.
                _ = page["Name"]
                for found in page.get("Contents", ()):
                    yield Sha256Hex(found["Key"].removeprefix(PAYLOADS))

    def set_aside(self, sha256: Sha256Hex) -> None:
        """Copy on the server, then remove the name; under a lock its version stays, hidden."""
        key = _key(sha256)
        source = {"Bucket": self._bucket.name, "Key": key}
        aside = f"{ASIDE}{sha256}.{secrets.token_hex(4)}"
        try:
            with asking(self._bucket):
                # Managed: above 5 GiB it copies by parts.
                self._bucket.writing.copy(source, self._bucket.name, aside)
                self._bucket.writing.delete_object(Bucket=self._bucket.name, Key=key)
        except ObjectMissing:
            raise _missing(sha256) from None

    def delete(self, sha256: Sha256Hex) -> None:
        """Remove the object's version itself, so that no hidden one stays; refused while locked."""
        name = {"Bucket": self._bucket.name, "Key": _key(sha256)}
        try:
            with asking(self._bucket):
                found = self._bucket.writing.head_object(**name)
                until = found.get("ObjectLockRetainUntilDate")
                if until is not None and until > self._clock.now():
                    raise BlobLocked(until)
                version = {"VersionId": found["VersionId"]} if "VersionId" in found else {}
                self._bucket.writing.delete_object(**name, **version)
        except ObjectMissing:
            return

    def sweep_staging(self, keep: Collection[str] = ()) -> int:
        """Unlink the local files that nobody will continue."""
        return self._stagings.sweep(keep)

    def _stored_size(self, key: str) -> int | None:
        try:
            with asking(self._bucket):
                return int(obstore.head(self._bucket.reading, key)["size"])
        except ObjectMissing:
            return None

    def _lock(self) -> dict[str, Any]:
        settings = self._bucket.settings
        if settings.lock == "none":
            return {}
        until = self._clock.now() + timedelta(days=settings.lock_days)
        return {"ObjectLockMode": settings.lock.upper(), "ObjectLockRetainUntilDate": until}


class S3Shelf:
    """A :class:`~escrow.vault.storage.places.Shelf` in a bucket; nothing on it is ever locked."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def put(self, path: str, content: bytes) -> None:
        """Put the object; S3 shows the old or the new one, never half of it."""
        with asking(self._bucket):
            self._bucket.writing.put_object(
                Bucket=self._bucket.name,
                Key=path,
                Body=content,
                ChecksumSHA256=_checksum(content),
            )

    def get(self, path: str) -> bytes | None:
        """Return the object's bytes, None where there is none."""
        try:
            with asking(self._bucket):
                content = bytearray()
                for piece in obstore.get(self._bucket.reading, path).stream(PIECE_BYTES):
                    content += bytes(piece)
                    if len(content) > MAX_DOCUMENT_BYTES:
                        break
                return bytes(content[: MAX_DOCUMENT_BYTES + 1])
        except ObjectMissing:
            return None

    def remove(self, path: str) -> None:
        """Remove the object, and every version that a versioned bucket keeps of it."""
        with asking(self._bucket):
            pages = self._bucket.writing.get_paginator("list_object_versions")
            for page in pages.paginate(Bucket=self._bucket.name, Prefix=path):
                for found in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                    if found["Key"] == path:
                        self._bucket.writing.delete_object(
                            Bucket=self._bucket.name, Key=path, VersionId=found["VersionId"]
                        )
            self._bucket.writing.delete_object(Bucket=self._bucket.name, Key=path)


class _Put:
    """One object on its way: conditional at the one request that makes it visible."""

    def __init__(self, bucket: Bucket, key: str, lock: dict[str, Any], *, replace: bool) -> None:
        self._bucket, self._lock = bucket, lock
        self._name = {"Bucket": bucket.name, "Key": key}
        self._condition = {} if replace else {"IfNoneMatch": "*"}

    def whole(self, descriptor: int, size_bytes: int) -> None:
        """Put the file; one that somebody else put meanwhile is as good."""
        try:
            if size_bytes <= PART_BYTES:
                self._at_once(os.pread(descriptor, size_bytes, 0))
            else:
                self._by_parts(descriptor, size_bytes)
        except ObjectExists:
            # Ours, its answer lost and the request repeated; or another writer's of equal bytes.
            if self._stands(size_bytes):
                return
            raise BlobStoreUnavailable(
                f"Another size stands under {self._name['Key'][:30]}… than was put.",
                "Try again; the scrub looks into it.",
            ) from None

    def _at_once(self, content: bytes) -> None:
        checksum = _checksum(content)
        with asking(self._bucket):
            self._bucket.writing.put_object(
                **self._name, Body=content, ChecksumSHA256=checksum, **self._lock, **self._condition
            )

    def _by_parts(self, descriptor: int, size_bytes: int) -> None:
        part_bytes = max(PART_BYTES, -(-size_bytes // MAX_PARTS))
        offsets = range(0, size_bytes, part_bytes)
        with asking(self._bucket):
            begun = self._bucket.writing.create_multipart_upload(
                **self._name, ChecksumAlgorithm="SHA256", **self._lock
            )
            upload = {**self._name, "UploadId": begun["UploadId"]}

        def part(number: int) -> dict[str, object]:
            content = os.pread(descriptor, part_bytes, (number - 1) * part_bytes)
            checksum = _checksum(content)
            with asking(self._bucket):
                done = self._bucket.writing.upload_part(
                    **upload, PartNumber=number, Body=content, ChecksumSHA256=checksum
                )
                return {"PartNumber": number, "ETag": done["ETag"], "ChecksumSHA256": checksum}

        try:
            with ThreadPoolExecutor(max(1, IN_FLIGHT_BYTES // part_bytes)) as at_once:
                parts = list(at_once.map(part, range(1, len(offsets) + 1)))
            self._complete(upload, parts, size_bytes)
        except BaseException:
            self._abort(upload)
            raise

    def _complete(
        self, upload: dict[str, str], parts: list[dict[str, object]], size_bytes: int
    ) -> None:
        """Make the object visible; where the answer was lost, look before it is called failed."""
        for attempt in range(1, MAX_COMPLETIONS + 1):
            try:
                with asking(self._bucket):
                    self._bucket.writing.complete_multipart_upload(
                        **upload, MultipartUpload={"Parts": parts}, **self._condition
                    )
                return
            except ObjectMissing:
                # NoSuchUpload: completed, and the answer lost.
                raise ObjectExists from None
            except BlobStoreUnavailable:
                if self._stands(size_bytes):
                    return
                if attempt == MAX_COMPLETIONS:
                    raise

    def _stands(self, size_bytes: int) -> bool:
        try:
            with asking(self._bucket):
                return int(obstore.head(self._bucket.reading, self._name["Key"])["size"]) == (
                    size_bytes
                )
        except ObjectMissing:
            return False

    def _abort(self, upload: dict[str, str]) -> None:
        try:
            with asking(self._bucket):
                self._bucket.writing.abort_multipart_upload(**upload)
        except (ObjectMissing, ObjectExists, BlobStoreUnavailable):
            # The bucket's lifecycle rule ends it; what failed is told by the caller.
            return


def _key(sha256: Sha256Hex) -> str:
    check_name(sha256)
    return PAYLOADS + sha256


def _checksum(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def _missing(sha256: Sha256Hex) -> BlobMissing:
    return BlobMissing(
        f"No payload {sha256[:16]}… is stored.",
        "Restore it from a replica if the ledger names it.",
    )
