"""A trial build against the same commands in plain Docker: ``python -m bench.trial_build``.

The library of zstd is compiled from the source that a package registry hands out by name. Plain
Docker gets it as a tar on standard input, builds and gives the library back, in one container.
Ours does the same through a workspace: unpack in one phase, build in another, read the output.
The two alternate, so that what disturbs one round disturbs both.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from builders.orders import ImageId, Limits, PhaseResult
from builders.sandbox import Sandbox

ROUNDS = 5
SOURCE = "zstandard==0.23.0"
LIBRARY = "libzstd.so"
BUILD = f"gcc -O1 -fPIC -shared -o {LIBRARY} zstandard-*/zstd/zstd.c"
LIMITS = Limits(cpus=2, memory_bytes=1 << 30, disk_bytes=256 << 20, seconds=600)

GOAL_SECONDS = 1.0
GOAL_SHARE = 0.05

Figure = tuple[str, str, str]


def measure(folder: Path, rounds: int = ROUNDS) -> list[Figure]:
    """Return (what, measured, goal) for a trial build.

    Raises:
        RuntimeError: a build failed, or the two ways made different libraries.
    """
    source = _source(folder)
    sandbox = Sandbox()
    image = sandbox.builder_image("cpp")
    plain, ours, made = [], [], set()
    for _ in range(rounds):
        plain.append(_timed(lambda: made.add(_plain(image, source))))
        ours.append(_timed(lambda: made.add(_ours(sandbox, image, source))))
    if len(made) != 1:
        raise RuntimeError("the two ways did not make the same library")
    before, after = statistics.median(plain), statistics.median(ours)
    # Of each round by itself: a busy minute slows both ways of it and must not count for one.
    more = statistics.median(b - a for a, b in zip(plain, ours, strict=True))
    allowed = GOAL_SECONDS + GOAL_SHARE * before
    return [
        (
            f"trial build of {SOURCE} in C, median of {rounds}",
            f"{after:.2f} s, plain docker run {before:.2f} s: {more:+.2f} s",
            f"<= +{allowed:.2f} s (1 s + 5 %)",
        )
    ]


def _source(folder: Path) -> bytes:
    """Return the source as an uncompressed tar, fetched by name."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    package = SOURCE.partition("==")[0]
    subprocess.run(
        [*command, "--no-deps", f"--no-binary={package}", f"--dest={folder}", SOURCE], check=True
    )
    return gzip.decompress(next(folder.glob(f"{package}-*.tar.gz")).read_bytes())


def _plain(image: ImageId, source: bytes) -> str:
    script = f"cd /tmp && tar -x && {BUILD} && cat {LIBRARY}"
    command = ["docker", "run", "--rm", "-i", "--network=none", image, "sh", "-c", script]
    return hashlib.sha256(_checked(command, source)).hexdigest()


def _checked(command: list[str], source: bytes) -> bytes:
    return subprocess.run(command, input=source, stdout=subprocess.PIPE, check=True).stdout


def _ours(sandbox: Sandbox, image: ImageId, source: bytes) -> str:
    with sandbox.workspace("bench", LIMITS) as workspace:

        def phase(name: str, line: str, stdin: list[bytes] | None = None) -> PhaseResult:
            result = workspace.run(
                image,
                ("sh", "-c", line),
                phase=name,
                environment={},
                limits=LIMITS,
                stdin=stdin,
                stdout_limit_bytes=1 << 20,
            )
            if not result.succeeded:
                raise RuntimeError(f"phase {name} failed: {result}")
            return result

        phase("unpack", "tar -x", [source])
        phase("build", BUILD)
        packed = io.BytesIO(b"".join(workspace.read_tar(f"/ws/src/{LIBRARY}")))
    with tarfile.open(fileobj=packed) as tar:
        library = tar.extractfile(LIBRARY)
        return hashlib.sha256(library.read() if library else b"").hexdigest()


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    """Print every figure with its goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for what, measured, goal in measure(Path(folder), chosen.rounds):
            print(f"{what:<52} {measured:<52} {goal}")


if __name__ == "__main__":
    main()
