"""A real process is killed in the middle of a sealing; the next one goes on from what it left."""

import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from escrow.vault.blobs import FileBlobStore
from escrow.vault.sealing import PayloadSealer, open_payload

ROOT = Path(__file__).parents[3]

UPLOAD = """
import random, sys
from pathlib import Path
from escrow.vault.age import FileKey
from escrow.vault.blobs import FileBlobStore
from escrow.vault.sealing import PayloadSealer

folder, block = Path(sys.argv[1]), random.Random(5).randbytes(300_000)
staging = FileBlobStore(folder / "store").stage()
sealer = PayloadSealer(staging, FileKey.generate(), "identity", scratch=folder / "scratch")
print(staging.name, flush=True)
number = 0
while True:
    number += 1
    sealer.write(block)
    if number % 10 == 0:
        sealer.checkpoint()
        print(sealer.received_bytes, flush=True)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as path:
        yield Path(path)


def _killed_upload(folder: Path, seconds: float) -> tuple[str, int]:
    """Run an upload, kill it, return its staging's name and what it last promised."""
    process = subprocess.Popen(
        [sys.executable, "-c", UPLOAD, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    name = process.stdout.readline().strip()
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    promised = [int(line) for line in process.stdout.read().split("\n")[:-1]]
    process.wait()
    process.stdout.close()
    return name, promised[-1] if promised else 0


@pytest.mark.parametrize("seconds", (0.0, 0.003, 0.011, 0.05, 0.1, 0.2))
def test_a_killed_upload_goes_on(folder: Path, seconds: float) -> None:
    name, promised = _killed_upload(folder, seconds)
    store = FileBlobStore(folder / "store")
    staged = (folder / "store" / "staging" / name).read_bytes()
    sealer = PayloadSealer.resume(store.reopen(name), folder / "scratch")
    received, block = sealer.received_bytes, random.Random(5).randbytes(300_000)
    assert received >= promised
    sealer.write(b"and something else than before")
    sealed = sealer.finish()
    expected = (block * (received // len(block) + 1))[:received] + b"and something else than before"
    with store.open(sealed.payload_sha256) as payload:
        opened = b"".join(open_payload(payload, sealer.file_key, sealed.encoding, sealed))
        payload.seek(0)
        assert payload.read(len(staged)) == staged
    assert opened == expected
    assert not (folder / "scratch").exists()
