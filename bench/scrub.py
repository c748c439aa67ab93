"""Reading everything again, and a bucket: ``python -m bench.scrub [--rounds N] [--mib N]``.

The scrub reads two copies of a payload, so its goal is per copy, against ``openssl dgst -sha256``
on the same files, warm. The bucket is a real server on this machine (SeaweedFS): our put, which
hashes every part and is conditional, against obstore's alone, which does neither.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import obstore

from escrow.ground.digests import Sha256Hex
from escrow.vault.storage.s3 import PART_BYTES, S3BlobStore
from escrow.vault.storage.s3_wire import Bucket
from tests.s3 import running_s3
from tests.storage import StoredWorld

MEBIBYTE = 1024 * 1024
ROUNDS = 5
SIZE_MEBIBYTES = 256
PAYLOADS = 4

SCRUB_GOAL = 1.3
PUT_GOAL = 1.5
DISK = Path("/var/tmp")


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _openssl(files: list[Path]) -> None:
    command = ["openssl", "dgst", "-sha256", *map(str, files)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def scrub(rounds: int, size_bytes: int) -> tuple[float, float]:
    """Return the scrub's MB/s and its time against openssl's, medians of the rounds."""
    ratios, speeds = [], []
    with tempfile.TemporaryDirectory(dir=DISK) as folder:
        world = StoredWorld(Path(folder))
        stored = [world.put(os.urandom(size_bytes // PAYLOADS)) for _ in range(PAYLOADS)]
        world.replicator.round()
        files = [world.file(place, one) for place in ("primary", "replica") for one in stored]
        for _ in range(rounds):
            alone = _timed(lambda: _openssl(files))
            ours = _timed(world.scrub)
            ratios.append(ours / alone)
            speeds.append(2 * size_bytes / 1e6 / ours)
        world.close()
    return statistics.median(speeds), statistics.median(ratios)


def bucket(rounds: int, size_bytes: int) -> tuple[float, float, float]:
    """Return our put's MB/s, its time against obstore's, and MB/s of reading back and hashing."""
    speeds, ratios, reads = [], [], []
    with running_s3() as server, tempfile.TemporaryDirectory(dir=DISK) as folder:
        settings = server.bucket(Path(folder))
        store = S3BlobStore(Bucket(settings), Path(folder) / "staging")
        for number in range(rounds):
            staging, digest = store.stage(), hashlib.sha256()
            for _ in range(size_bytes // MEBIBYTE):
                digest.update(piece := os.urandom(MEBIBYTE))
                staging.append(piece)
            staging.sync()
            with staging.open_reading() as file:
                alone = _timed(
                    lambda file=file, number=number: obstore.put(  # type: ignore[misc]
                        store._bucket.reading,
                        f"alone/{number}",
                        file,
                        use_multipart=True,
                        chunk_size=PART_BYTES,
                        max_concurrency=3,
                    )
                )
            name = Sha256Hex(digest.hexdigest())
            ours = _timed(lambda staging=staging, name=name: staging.commit(name))  # type: ignore[misc]
            speeds.append(size_bytes / 1e6 / ours)
            ratios.append(ours / alone)
            reads.append(size_bytes / 1e6 / _timed(lambda name=name: store.check(name)))  # type: ignore[misc]
    return statistics.median(speeds), statistics.median(ratios), statistics.median(reads)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--mib", type=int, default=SIZE_MEBIBYTES)
    asked = parser.parse_args()
    size_bytes = asked.mib * MEBIBYTE
    speed, ratio = scrub(asked.rounds, size_bytes)
    print(f"scrub of two copies: {speed:.0f} MB/s, {ratio:.2f}x openssl dgst (goal {SCRUB_GOAL}x)")
    put, against, read = bucket(asked.rounds, size_bytes)
    print(f"put into a bucket: {put:.0f} MB/s, {against:.2f}x obstore alone (goal {PUT_GOAL}x)")
    print(f"read back and hashed: {read:.0f} MB/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
