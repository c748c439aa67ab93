"""A sealing killed at any byte goes on, and no chunk is ever written with other bytes.

The kill is a staging that takes some bytes of an append and then stops, which is what a killed
process leaves: scratch as last written, staging cut anywhere. After each kill the client sends
*other* bytes than before, the worst that it may do.
"""

import hashlib
import random
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from escrow.vault.age import FileKey
from escrow.vault.blobs import FileBlobStore, FileStaging
from escrow.vault.sealing import PayloadSealer, open_payload

MIB = 1024 * 1024


class Killed(Exception):
    pass


class MortalStaging:
    """A staging in a process that dies after so many bytes."""

    def __init__(self, inner: FileStaging, life_bytes: int) -> None:
        self._inner = inner
        self._life = life_bytes

    def __getattr__(self, name: str):
        return getattr(self._inner, name)

    def append(self, data) -> None:
        if self._life < len(data):
            self._inner.append(memoryview(data)[: self._life])
            self._life = 0
            raise Killed
        self._life -= len(data)
        self._inner.append(data)


class World:
    """One upload over several lives of the service."""

    def __init__(self, folder: Path, content: bytes, lives: list[int], rng: random.Random) -> None:
        self.store = FileBlobStore(folder / "store")
        self.scratch = folder / "scratch"
        self.content = bytearray(content)
        self.rng = rng
        self.lives = list(lives)
        self.promised = 0
        self.ever_staged: list[bytes] = []
        staging = self.store.stage()
        self.path = folder / "store" / "staging" / staging.name
        self.key = FileKey.generate()
        self.sealer = PayloadSealer(self._mortal(staging), self.key, scratch=self.scratch)

    def upload(self):
        while True:
            try:
                self._send()
                return self.sealer.finish()
            except Killed:
                self.sealer.suspend()
                self._restart()

    def _mortal(self, staging: FileStaging):
        return MortalStaging(staging, self.lives.pop()) if self.lives else staging

    def _send(self) -> None:
        at = self.sealer.received_bytes
        while at < len(self.content):
            step = self.rng.choice((1000, 65_536, 300_000, MIB, 2 * MIB))
            self.sealer.write(self.content[at : at + step])
            at = self.sealer.received_bytes
            if self.rng.random() < 0.3:
                self.sealer.checkpoint()
                self.promised = at

    def _restart(self) -> None:
        while True:
            self.ever_staged.append(self.path.read_bytes())
            staging = self.store.reopen(self.path.name)
            try:
                self.sealer = PayloadSealer.resume(self._mortal(staging), self.scratch)
                break
            except Killed:
                staging.close()
        at = self.sealer.received_bytes
        assert self.promised <= at <= len(self.content)
        if at < len(self.content):
            self.content[at:] = self.rng.randbytes(len(self.content) - at)


@settings(max_examples=150, deadline=None)
@given(
    size=st.one_of(
        st.sampled_from((0, 1, 65_536, MIB - 1, MIB, MIB + 1, 3 * MIB)), st.integers(0, 4 * MIB)
    ),
    lives=st.lists(st.integers(0, 1000), max_size=4),
    compressible=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_a_killed_sealing_goes_on_and_rewrites_nothing(size, lives, compressible, seed) -> None:
    rng = random.Random(seed)
    content = (
        (b"line %d\n" % seed * (size // 6 + 1))[:size] if compressible else rng.randbytes(size)
    )
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        # In thousandths of the payload, so that most lives end within it.
        ends = [(size + 66_000) * life // 1000 for life in lives]
        world = World(Path(folder), content, ends, rng)
        sealed = world.upload()
        with world.store.open(sealed.payload_sha256) as file:
            stored = file.read()
            file.seek(0)
            opened = b"".join(open_payload(file, world.key, sealed.encoding, sealed))
        assert all(stored.startswith(staged) for staged in world.ever_staged)
        assert opened == world.content
        assert sealed.sha256 == hashlib.sha256(world.content).hexdigest()
        assert sealed.payload_sha256 == hashlib.sha256(stored).hexdigest()
        assert not world.scratch.exists()
        assert world.store.sweep_staging() == 0
