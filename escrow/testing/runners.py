"""A runner where Docker would be: the real inspector in a folder, and builds as they are told."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from builders.errors import BuilderError
from builders.findings import Finding
from builders.inspection import frames, parse_inspection
from builders.inventory import inventory_findings
from builders.kit import Means, UsedImage
from builders.orders import (
    Artifact,
    ComponentResult,
    ImageId,
    Inspection,
    Limits,
    PartInput,
    PhaseResult,
    TrialBuildPlan,
    TrialBuildResult,
    Verdict,
)
from builders.plan import plan_trial_builds
from escrow.verification.runner import OnLog

# Enough for the inspector to unpack what trials deposit.
_ROOM_BYTES = 64 * 1024 * 1024

_IMAGE = ImageId("sha256:" + "cd" * 32)
_INSPECTOR = ImageId("sha256:" + "ef" * 32)
_ROOM = Limits(cpus=2, memory_bytes=1 << 30, disk_bytes=_ROOM_BYTES, seconds=60)


@dataclass
class FakeRunner:
    """A :class:`~escrow.verification.runner.Runner` where Docker would be.

    Args:
        scratch: where benches unpack; the inspector runs as a process of its own there.
        problem: raised instead of trusting the runner, while it is set.
        is_proven: whether its self-test is done.
        build: answers for a build.
    """

    scratch: Path
    problem: BuilderError | None = None
    is_proven: bool = True
    build: Callable[[TrialBuildPlan, OnLog], TrialBuildResult] = field(
        default_factory=lambda: build_passes
    )
    open_benches: int = 0
    swept: list[str] = field(default_factory=list)
    saved: list[ImageId] = field(default_factory=list)

    @property
    def isolation(self) -> Mapping[str, str]:
        """No isolation worth the name."""
        return {"runner": "fake", "network": "none"}

    def check_safe(self) -> None:
        """Refuse with the problem that was set."""
        if self.problem is not None:
            raise self.problem

    @contextmanager
    def bench(self, label: str) -> Iterator[FakeBench]:
        """Open a bench in a folder that is gone afterwards."""
        with tempfile.TemporaryDirectory(dir=self.scratch) as root:
            self.open_benches += 1
            try:
                yield FakeBench(Path(root), self)
            finally:
                self.open_benches -= 1

    def means(self, result: TrialBuildResult) -> Means:
        """Name two images that nobody has."""
        used = [UsedImage("inspector", _INSPECTOR, "escrow/builder-inspector:trial")]
        used += [UsedImage("builder", one, "escrow/builder-trial:1") for one in result.images]
        return Means(_ROOM, tuple(used))

    def save_image(self, image: ImageId) -> Iterator[bytes]:
        """Write down that it was asked, and yield some bytes in two pieces."""
        self.saved.append(image)
        yield from (b"a tar of ", image.encode())

    def sweep(self, label: str) -> None:
        """Write down that it was asked."""
        if self.problem is not None:
            raise self.problem
        self.swept.append(label)


@dataclass
class FakeBench:
    """One bench of a :class:`FakeRunner`."""

    root: Path
    runner: FakeRunner

    def inspect(self, parts: Sequence[PartInput]) -> tuple[Inspection, tuple[Finding, ...]]:
        """Run the real inspector."""
        order = {"mode": "inspect", "room_bytes": _ROOM_BYTES}
        done = subprocess.run(
            [sys.executable, "-m", "builders.inspector", str(self.root)],
            input=b"".join(frames(order, parts)),
            capture_output=True,
            check=True,
        )
        inspection = parse_inspection(done.stdout)
        return inspection, inventory_findings(inspection)

    def plan(self, inspection: Inspection) -> TrialBuildPlan:
        """Plan really."""
        return plan_trial_builds(inspection)

    def build(self, plan: TrialBuildPlan, on_log: OnLog) -> TrialBuildResult:
        """Answer as told."""
        return self.runner.build(plan, on_log)


def build_passes(plan: TrialBuildPlan, on_log: OnLog) -> TrialBuildResult:
    """Answer for a build that makes one file of each component."""
    on_log(b"building\n")
    return _result(plan, "pass", ())


def build_fails(plan: TrialBuildPlan, on_log: OnLog) -> TrialBuildResult:
    """Answer for a build that lacks a header."""
    on_log(b"fatal error: zlib.h: No such file or directory\n")
    return _result(plan, "fail", (Finding("E-BUILD-HEADER-MISSING", _HEADER, "ledger"),))


def build_errs(plan: TrialBuildPlan, on_log: OnLog) -> TrialBuildResult:
    """Answer for a build during which the engine broke."""
    on_log(b"building\n")
    return _result(plan, "error", ())


_HEADER = {"header": "zlib.h", "hint": ""}


def _result(
    plan: TrialBuildPlan, verdict: Verdict, findings: tuple[Finding, ...]
) -> TrialBuildResult:
    exit_code = 0 if verdict == "pass" else 1
    phase = PhaseResult("build", exit_code, False, False, False, 1.5)
    made = (Artifact("out/ledger.whl", 10, "ab" * 32),) if verdict == "pass" else ()
    components = tuple(
        ComponentResult(one.name, verdict, (phase,), made, findings, _IMAGE)
        for one in plan.components
    )
    return TrialBuildResult(verdict, components, findings)
