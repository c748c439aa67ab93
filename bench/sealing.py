"""Sealing against what is physically there: ``python -m bench.sealing [--rounds N]``.

Every round runs all programs one after the other on the same input, warm in the page cache, so
that load from elsewhere meets all of them; a figure is the median of the rounds' own ratios, and
beside the wall times stand processor seconds, which load from elsewhere changes little: we use two
processors where most of the others use one, so the ratios of wall time need a quiet machine.
``openssl dgst -sha256`` and not ``sha256sum``, since Debian's has no use of SHA-NI. ``age -e``
neither hashes nor syncs; we hash twice, and our time ends when the payload is on the disk.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.pairs import Figure, alternate, pipe, ratio, run
from bench.trees import FILES, TREE_ROUNDS, measure_tree, texts
from escrow.vault.age import FileKey, X25519Identity, new_x25519_identity, wrap_file_key
from escrow.vault.blobs import FileBlobStore
from escrow.vault.sealing import PayloadSealer, SealedPayload, open_payload

MEBIBYTE = 1024 * 1024
ROUNDS = 5
STREAM_BYTES = 5 * 1000**3

DIGEST_GOAL = 2.0
AGE_GOAL = 1.0
PIPE_GOAL = 0.75
OPEN_GOAL = 1.2
MEMORY_GOAL_MEBIBYTES = 64

# Uploads keep their redo records in memory; payloads go to a disk, where the fsync costs.
SCRATCH = Path("/dev/shm")
DISK = Path("/var/tmp")


@dataclass
class Bench:
    """One folder on the disk with inputs, a store and keys."""

    folder: Path
    size_bytes: int
    identity: X25519Identity = field(default_factory=new_x25519_identity)
    file_key: FileKey = field(default_factory=FileKey.generate)

    def __post_init__(self) -> None:
        self.noise, self.text = self.folder / "noise", self.folder / "text"
        self.out = self.folder / "out"
        self.key_file = self.folder / "key"
        self.key_file.write_text(self.identity.reveal() + "\n", encoding="ascii")
        _fill(self.noise, self.size_bytes, iter(lambda: secrets.token_bytes(MEBIBYTE), b""))
        _fill(self.text, self.size_bytes, texts())

    @property
    def store(self) -> FileBlobStore:
        """The payload store."""
        return FileBlobStore(self.folder / "store")

    def seal(self, source: Path, scratch: Path | None = None) -> SealedPayload:
        """Seal a file as the intake does."""
        sealer = PayloadSealer(self.store.stage(), self.file_key, scratch=scratch)
        with source.open("rb", buffering=0) as file:
            sealer.write_from(file)
        return sealer.finish()

    def open(self, sealed: SealedPayload) -> None:
        """Open a payload and check both of its digests."""
        with self.store.open(sealed.payload_sha256) as payload:
            for _ in open_payload(payload, self.file_key, sealed.encoding, sealed):
                pass

    def forget(self) -> None:
        """Remove what the last job wrote, so that its write-back does not slow the next one."""
        self.out.unlink(missing_ok=True)
        shutil.rmtree(self.folder / "store", ignore_errors=True)


def measure(rounds: int, size_bytes: int, stream_bytes: int, folder: Path) -> list[Figure]:
    """Return (what, measured, goal) for every figure of sealing."""
    bench = Bench(folder, size_bytes)
    figures = [*_sealing(bench, rounds), *_compressing(bench, rounds), *_opening(bench, rounds)]
    bench.noise.unlink()
    bench.text.unlink()
    return [*figures, *_memory(bench, stream_bytes)]


def _sealing(bench: Bench, rounds: int) -> Iterator[Figure]:
    times = alternate(
        rounds,
        {
            "digest": lambda: run("openssl", "dgst", "-sha256", bench.noise),
            "age": lambda: run(*_age(bench), "-o", bench.out, bench.noise),
            "ours": lambda: bench.seal(bench.noise),
            "resumable": lambda: bench.seal(bench.noise, _scratch()),
        },
        bench.forget,
    )
    yield ratio("seal noise / openssl dgst -sha256", times, "ours", "digest", DIGEST_GOAL)
    yield ratio("seal noise / age -e", times, "ours", "age", AGE_GOAL)
    yield ratio("seal noise, resumable / openssl dgst", times, "resumable", "digest", DIGEST_GOAL)


def _compressing(bench: Bench, rounds: int) -> Iterator[Figure]:
    times = alternate(
        rounds,
        {
            "pipe": lambda: pipe(["zstd", "-1", "-qc", bench.text], _age(bench), out=bench.out),
            "ours": lambda: bench.seal(bench.text),
        },
        bench.forget,
    )
    yield ratio("seal text / zstd -1 | age -e", times, "ours", "pipe", PIPE_GOAL)


def _opening(bench: Bench, rounds: int) -> Iterator[Figure]:
    # The goal is for compressed payloads: on noise the stock program neither hashes nor inflates.
    for name, source, goal in (("text", bench.text, OPEN_GOAL), ("noise", bench.noise, None)):
        sealed = bench.seal(source)
        whole = bench.folder / "whole.age"
        with whole.open("wb") as file, bench.store.open(sealed.payload_sha256) as payload:
            file.write(wrap_file_key(bench.file_key, [bench.identity.recipient]))
            shutil.copyfileobj(payload, file, MEBIBYTE)
        unseal: list[object] = ["age", "-d", "-i", bench.key_file, whole]
        stock, said = _stock_opening(unseal, sealed.encoding)
        times = alternate(rounds, {"stock": stock, "ours": _opener(bench, sealed)})
        yield ratio(f"open and verify {name} / {said}", times, "ours", "stock", goal)
        whole.unlink()
        bench.forget()


def _stock_opening(unseal: Sequence[object], encoding: str) -> tuple[Callable[[], object], str]:
    if encoding == "zstd":
        return lambda: pipe(unseal, ["zstd", "-dcq"], out=Path("/dev/null")), "age -d | zstd -dc"
    return lambda: run(*unseal), "age -d"


def _opener(bench: Bench, sealed: SealedPayload) -> Callable[[], object]:
    return lambda: bench.open(sealed)


def _memory(bench: Bench, stream_bytes: int) -> Iterator[Figure]:
    command = [sys.executable, "-m", "bench.sealing", "--stream-into", str(bench.folder)]
    command += ["--stream-bytes", str(stream_bytes)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    goal = f"<= {MEMORY_GOAL_MEBIBYTES} MiB"
    for what, used in json.loads(output).items():
        name = f"memory above idle, {stream_bytes / 1000**3:.1f} GB {what}"
        yield name, f"{used / MEBIBYTE:.1f} MiB", goal


def stream(folder: Path, size_bytes: int) -> dict[str, int]:
    """Seal and open a long stream; return the peaks of memory above the idle process, in bytes.

    The peak is VmHWM: ru_maxrss would begin with the memory of the process that started us.
    """
    bench = Bench(folder, 0)
    idle = _peak_bytes()
    peaks = {}
    for what, block in (
        ("noise sealed", secrets.token_bytes(MEBIBYTE)),
        ("text sealed", (b"return value;  /* %d */\n" * 50_000)[:MEBIBYTE]),
    ):
        sealer = PayloadSealer(bench.store.stage(), bench.file_key, scratch=_scratch())
        for _ in range(size_bytes // len(block)):
            sealer.write(block)
        sealed = sealer.finish()
        peaks[what] = _peak_bytes() - idle
        bench.open(sealed)
        peaks[f"{what}, opened"] = _peak_bytes() - idle
        bench.forget()
    return peaks


def _age(bench: Bench) -> list[object]:
    return ["age", "-e", "-r", bench.identity.recipient]


def _scratch() -> Path:
    return SCRATCH / f"escrow-bench-{secrets.token_hex(8)}"


def _fill(path: Path, size_bytes: int, pieces: Iterator[bytes]) -> None:
    left = size_bytes
    with path.open("wb") as file:
        while left:
            left -= file.write(next(pieces)[:left])
        # Written back now, not while the first round is measured.
        file.flush()
        os.fsync(file.fileno())


def _peak_bytes() -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("this kernel does not tell a process's peak of memory")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--mebibytes", type=int, default=1024, help="size of each input")
    parser.add_argument("--files", type=int, default=FILES, help="files of the tree; 0: no tree")
    parser.add_argument("--tree-rounds", type=int, default=TREE_ROUNDS)
    parser.add_argument("--stream-bytes", type=int, default=STREAM_BYTES)
    parser.add_argument("--stream-into", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, default=DISK, help="on the disk to measure")
    options = parser.parse_args(arguments)
    if options.stream_into:
        print(json.dumps(stream(options.stream_into, options.stream_bytes)))
        return
    # One core taken by others turns our two-core figures into one-core ones: say what was free.
    print(f"{os.cpu_count()} cores, load before: {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        size_bytes = options.mebibytes * MEBIBYTE
        figures = measure(options.rounds, size_bytes, options.stream_bytes, Path(folder))
        _print(figures)
        if options.files:
            _print(measure_tree(Path(folder), options.files, options.tree_rounds))
    print(f"load after: {os.getloadavg()[0]:.1f}")


def _print(figures: Sequence[Figure]) -> None:
    for what, measured, goal in figures:
        print(f"{what:<48} {goal:<10} {measured}", flush=True)


if __name__ == "__main__":
    main()
