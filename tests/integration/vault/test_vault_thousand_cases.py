"""A thousand payloads, each under two headers, opened byte for byte by programs we did not write.

The classical header: Debian's ``age``, ``pyrage``, npm's ``age-encryption``. The post-quantum one:
Debian sid's ``age`` and npm's. And what each of them seals, we open.
"""

import io
import random
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pyrage
import pytest
import zstandard

from escrow.vault.age import (
    FileKey,
    HybridIdentity,
    X25519Identity,
    decrypt_bytes,
    hybrid_identity_from_seed,
    open_header,
    wrap_file_key,
    write_identity_file,
)
from escrow.vault.age_format import split_header
from escrow.vault.blobs import FileBlobStore
from escrow.vault.sealing import PayloadSealer, open_payload
from tests.integration.vault.nodes import run_jobs
from tests.programs import program_versions, sid_program

CASES = 1000
THEIRS = 100
CHUNK = 65_536
EDGES = [0, 1, *(chunks * CHUNK + off for chunks in (1, 2, 3) for off in (-17, -16, -1, 0, 1))]

Key = X25519Identity | HybridIdentity


@dataclass(frozen=True)
class Case:
    """One payload as it is stored, its two age files on the disk, and what they must give."""

    number: int
    content: bytes
    encoding: str
    classical: Key
    hybrid: Key
    folder: Path

    def file(self, kind: str) -> Path:
        return self.folder / f"{self.number}.{kind}"

    def check(self, opened: bytes) -> None:
        if self.encoding == "zstd":
            with zstandard.ZstdDecompressor().stream_reader(opened, read_across_frames=True) as it:
                opened = it.read()
        # Not compared by the assertion: it would print 200 KiB of bytes that differ.
        same = opened == self.content
        assert same, f"case {self.number}, {len(self.content)} bytes"


class Pool:
    """Keys of either kind, with their key files."""

    def __init__(self, chance: random.Random, folder: Path) -> None:
        self.chance = chance
        self.classical = [X25519Identity(chance.randbytes(32)) for _ in range(6)]
        self.hybrid = [hybrid_identity_from_seed(chance.randbytes(32)) for _ in range(4)]
        self.files = {}
        for number, key in enumerate((*self.classical, *self.hybrid)):
            self.files[key] = folder / f"key-{number}"
            write_identity_file(self.files[key], key, None)

    def some(self, keys: Sequence[Key]) -> tuple[Key, list[Key]]:
        chosen = self.chance.sample(keys, self.chance.randint(1, 3))
        return self.chance.choice(chosen), chosen

    def content(self, number: int) -> bytes:
        size = EDGES[number] if number < len(EDGES) else self.chance.randint(0, 2000)
        if number % 20 == 0:
            size = self.chance.choice(EDGES)
        text = (b"return %d;\n" % number) * (size // 8 + 1)
        return text[:size] if number % 3 == 0 else self.chance.randbytes(size)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("thousand")


@pytest.fixture(scope="module")
def pool(folder: Path) -> Pool:
    return Pool(random.Random(20_261_127), folder)


@pytest.fixture(scope="module")
def cases(pool: Pool, folder: Path) -> list[Case]:
    # In memory: three thousand fsyncs would be most of the time and prove nothing here.
    with TemporaryDirectory(dir="/dev/shm") as memory:
        store = FileBlobStore(Path(memory))
        return [_case(pool, store, folder, number) for number in range(CASES)]


def _case(pool: Pool, store: FileBlobStore, folder: Path, number: int) -> Case:
    file_key, content = FileKey(pool.chance.randbytes(16)), pool.content(number)
    sealer = PayloadSealer(store.stage(), file_key)
    sealer.write(content)
    sealed = sealer.finish()
    mine, keys = {}, (("classical", pool.classical), ("hybrid", pool.hybrid))
    with store.open(sealed.payload_sha256) as blob:
        payload = blob.read()
    for kind, there_are in keys:
        mine[kind], chosen = pool.some(there_are)
        header = wrap_file_key(file_key, [one.recipient for one in chosen])
        (folder / f"{number}.{kind}").write_bytes(header + payload)
    return Case(number, content, sealed.encoding, **mine, folder=folder)


def _each(cases: Sequence[Case], opening: list[tuple[Path, ...]]) -> Iterator[tuple[Case, bytes]]:
    """Yield what a program printed for each case; two at a time, as there are cores."""
    with ThreadPoolExecutor(2) as threads:
        yield from zip(cases, threads.map(_run, opening), strict=True)


def _run(command: Sequence[object], given: bytes = b"") -> bytes:
    done = subprocess.run(
        [str(one) for one in command], input=given, check=False, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_debians_age_opens_them(cases: list[Case], pool: Pool) -> None:
    commands = [("age", "-d", "-i", pool.files[c.classical], c.file("classical")) for c in cases]
    for case, opened in _each(cases, commands):
        case.check(opened)


def test_sids_age_opens_the_post_quantum_ones(cases: list[Case], pool: Pool) -> None:
    print(f"age {program_versions()['age']}")
    age = sid_program("age")
    commands = [(age, "-d", "-i", pool.files[c.hybrid], c.file("hybrid")) for c in cases]
    for case, opened in _each(cases, commands):
        case.check(opened)


def test_pyrage_opens_them(cases: list[Case]) -> None:
    for case in cases:
        identity = pyrage.x25519.Identity.from_str(case.classical.reveal())
        case.check(pyrage.decrypt(case.file("classical").read_bytes(), [identity]))


@pytest.mark.parametrize("kind", ("classical", "hybrid"))
def test_npms_age_opens_them(cases: list[Case], folder: Path, kind: str) -> None:
    jobs = [
        {
            "open": str(case.file(kind)),
            "identity": getattr(case, kind).reveal(),
            "to": str(case.file("opened")),
        }
        for case in cases
    ]
    run_jobs("age.mjs", folder, jobs)
    for case in cases:
        case.check(case.file("opened").read_bytes())


def _check_ours(sealed: bytes, key: Key, content: bytes) -> None:
    assert decrypt_bytes(sealed, [key]) == content
    header, payload = split_header(sealed)
    pieces = open_payload(io.BytesIO(payload), open_header(header, [key]), "identity")
    assert b"".join(pieces) == content


@pytest.mark.parametrize("kind", ("classical", "hybrid"))
def test_we_open_what_npms_age_seals(pool: Pool, folder: Path, kind: str) -> None:
    jobs, expected = [], []
    for number in range(THEIRS):
        key, chosen = pool.some(getattr(pool, kind))
        plain, sealed = folder / f"plain-{number}", folder / f"sealed-{number}"
        plain.write_bytes(pool.content(number))
        recipients = [str(one.recipient) for one in chosen]
        jobs.append({"seal": str(plain), "recipients": recipients, "to": str(sealed)})
        expected.append((sealed, key, plain))
    run_jobs("age.mjs", folder, jobs)
    for sealed, key, plain in expected:
        _check_ours(sealed.read_bytes(), key, plain.read_bytes())


@pytest.mark.parametrize("kind", ("classical", "hybrid"))
def test_we_open_what_stock_age_seals(pool: Pool, kind: str) -> None:
    age = "age" if kind == "classical" else sid_program("age")
    for number in range(THEIRS // 2):
        key, chosen = pool.some(getattr(pool, kind))
        named = [text for one in chosen for text in ("-r", one.recipient)]
        content = pool.content(number)
        _check_ours(_run((age, *named), content), key, content)


def test_we_open_what_pyrage_seals(pool: Pool) -> None:
    for number in range(THEIRS):
        key, chosen = pool.some(pool.classical)
        theirs = [pyrage.x25519.Recipient.from_str(str(one.recipient)) for one in chosen]
        content = pool.content(number)
        _check_ours(pyrage.encrypt(content, theirs), key, content)
