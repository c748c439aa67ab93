"""Our Merkle arithmetic and transparency-dev/merkle (Go) give the same answer to every probe.

The probes are made as that project's own are: every proof of small trees, and each of them changed
in every way that a liar would try first. Its files of probes are in no package of a registry.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from escrow.ledger.errors import ProofFails
from escrow.ledger.merkle import (
    check_consistency,
    check_inclusion,
    consistency_ranges,
    inclusion_ranges,
    leaf_hash,
    root_of,
)
from tests.programs import go_sources

# Every shape of a path occurs below 2^5, and a few steps above it.
LARGEST = 35
LEAVES = [leaf_hash(bytes([number])) for number in range(LARGEST)]


@dataclass(frozen=True)
class Probe:
    """A question: inclusion of leaf ``first`` in ``second``, or that ``second`` continues it."""

    kind: str
    first: int
    second: int
    ends: tuple[bytes, bytes]
    path: tuple[bytes, ...]

    def holds(self) -> bool:
        """Return our answer."""
        try:
            if self.kind == "inclusion":
                check_inclusion(self.ends[0], self.first, self.second, self.path, self.ends[1])
            else:
                check_consistency(self.first, self.ends[0], self.second, self.ends[1], self.path)
        except ProofFails:
            return False
        return True

    def line(self) -> str:
        """Return the question as the judge reads it."""
        hashes = " ".join(one.hex() for one in (*self.ends, *self.path))
        return f"{self.kind} {self.first} {self.second} {hashes}"

    def changed(self) -> Iterator[Probe]:
        """Yield the probe with one thing about it changed."""
        for by in (-1, 1, 2):
            if self.first + by >= 0:
                yield replace(self, first=self.first + by)
            if self.second + by >= 0:
                yield replace(self, second=self.second + by)
        yield replace(self, ends=self.ends[::-1])
        for at in range(2):
            ends = list(self.ends)
            ends[at] = _flipped(ends[at])
            yield replace(self, ends=(ends[0], ends[1]))
        for at, node in enumerate(self.path):
            before, after = self.path[:at], self.path[at + 1 :]
            yield replace(self, path=(*before, *after))
            yield replace(self, path=(*before, _flipped(node), *after))
            yield replace(self, path=(*before, node, node, *after))
        for more in (self.ends[0], self.ends[1], bytes(32)):
            yield replace(self, path=(more, *self.path))
            yield replace(self, path=(*self.path, more))
        yield replace(self, path=self.path[::-1])
        yield replace(self, path=())


def _flipped(hash_: bytes) -> bytes:
    return bytes([hash_[0] ^ 1]) + hash_[1:]


def _range_hashes(ranges: list[tuple[int, int]]) -> tuple[bytes, ...]:
    return tuple(root_of(LEAVES[start:end]) for start, end in ranges)


def _true_probes() -> Iterator[Probe]:
    for size in range(1, LARGEST + 1):
        root = root_of(LEAVES[:size])
        for index in range(size):
            path = _range_hashes(inclusion_ranges(index, size))
            yield Probe("inclusion", index, size, (LEAVES[index], root), path)
            old = index + 1
            path = _range_hashes(consistency_ranges(old, size))
            yield Probe("consistency", old, size, (root_of(LEAVES[:old]), root), path)


def _excepted(probe: Probe) -> bool:
    """Return whether 0.0.2 says yes and its newer files of probes no, as we do.

    An empty path "from an empty tree" proves nothing, whatever the roots are.
    """
    return (probe.kind, probe.first, probe.path) == ("consistency", 0, ())


def _judged(probes: list[Probe], folder: Path) -> list[bool]:
    go = shutil.which("go")
    assert go, "go is missing: run 'make trials'"
    # As Debian's packages build: from the sources that lie there, asking no module proxy.
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GOCACHE": str(folder / "cache"),
        "GOPATH": str(go_sources()),
        "GO111MODULE": "off",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "",
    }
    source = Path(__file__).parent / "merkle_judge.go"
    done = subprocess.run(
        [go, "run", str(source)],
        input="".join(f"{one.line()}\n" for one in probes),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [word == "yes" for word in done.stdout.split()]


def test_both_give_the_same_answer_to_every_probe(tmp_path: Path) -> None:
    true = list(_true_probes())
    changed = [one for probe in true for one in probe.changed()]
    answers = _judged([*true, *changed], tmp_path)
    assert len(answers) == len(true) + len(changed)
    assert all(answers[: len(true)])
    assert all(one.holds() for one in true)
    told = zip(changed, answers[len(true) :], strict=True)
    differing = [one for one, answer in told if one.holds() != answer and not _excepted(one)]
    assert differing == []
    print(f"{len(true)} proofs that hold, {len(changed)} that were changed")
    # A judge that takes everything, or nothing, would be none.
    assert 0 < sum(answers[len(true) :]) < len(changed) / 10
