"""The public contract of trial builds: what is ordered, and what comes back.

Pure values only, so that another runner (another system, other hardware) can take the same order
and return the same result. Nothing here does I/O or decides a verdict.

Text that came out of a deposit (paths, output, parsed files) is hostile wherever it appears: show
it escaped, never execute it, never use it as a path of the host.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NewType

if TYPE_CHECKING:
    from builders.findings import Finding

ImageId = NewType("ImageId", str)
"""The engine's content id of an image (``sha256:…``); a tag may move, this cannot."""

Verdict = Literal["pass", "fail", "error", "not-tested"]
Ecosystem = Literal["python", "node", "cpp", "inspector"]

# The largest number of processes of one phase: a parallel build of a big tree stays far below,
# and a fork bomb meets it in half a second.
PROCESSES_MAX = 512

# Files of one workspace. Each costs about 1 KiB of kernel memory whatever its size, so the number
# is bounded as well as the bytes; the largest trees seen in practice have a third of this.
WORKSPACE_FILES_MAX = 400_000


@dataclass(frozen=True)
class Limits:
    """What one workspace, or one phase in it, may use.

    ``disk_bytes`` bounds the whole workspace; given to a phase it bounds its largest single file.
    What a phase writes counts as its memory, so ``memory_bytes`` ≥ working set + files written.
    """

    cpus: float
    memory_bytes: int
    disk_bytes: int
    seconds: float
    processes: int = PROCESSES_MAX
    files: int = WORKSPACE_FILES_MAX


@dataclass(frozen=True)
class PartInput:
    """One part of a deposit, to be unpacked inside the sandbox and nowhere else.

    ``name`` is unique in its deposit. ``stream`` yields the plaintext once; ``size_bytes`` is its
    length where known. ``commit`` is what a git part was deposited for; None takes its main branch.
    """

    name: str
    kind: str
    media: str
    stream: Iterable[bytes]
    size_bytes: int | None = None
    commit: str | None = None


@dataclass(frozen=True)
class ManifestEntry:
    """One file, link or submodule of a part. ``mode`` is git's (100644, 100755, 120000, 160000)."""

    part: str
    path: str
    mode: str
    size_bytes: int
    sha256: str | None = None
    swhid: str | None = None


@dataclass(frozen=True)
class Observation:
    """Something the inspector saw in a part: ``kind`` is the inspector's own word for it."""

    kind: str
    part: str
    path: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class MarkerFile:
    """A file that says how something is built; ``parsed`` where it is JSON or TOML and small."""

    path: str
    parsed: Mapping[str, object] | None = None


@dataclass(frozen=True)
class InspectedPart:
    """What one part turned out to be: ``media`` is what its bytes are, not what was declared.

    ``place`` is where it lies in the workspace; None when it was only looked at in passing.
    """

    name: str
    kind: str
    media: str
    files: int
    total_bytes: int
    root_swhid: str | None = None
    commit: str | None = None
    place: str | None = None


@dataclass(frozen=True)
class Inspection:
    """Everything known about the unpacked parts without running any of them.

    ``entries`` may be cut at the inspector's bound; ``entries_cut`` then says so.
    ``recipe`` is the deposited ``escrow.toml`` as data, ``recipe_problem`` why it is none,
    ``recipe_directory`` the folder below the source that its own folders are relative to.
    """

    parts: tuple[InspectedPart, ...]
    entries: tuple[ManifestEntry, ...]
    observations: tuple[Observation, ...] = ()
    markers: tuple[MarkerFile, ...] = ()
    recipe: Mapping[str, object] | None = None
    recipe_problem: str | None = None
    recipe_directory: str = ""
    newest_mtime: int | None = None
    entries_cut: bool = False


@dataclass(frozen=True)
class PhasePlan:
    """One phase of one component: shell lines run in order in one fresh container."""

    name: Literal["fetch", "build", "test", "run"]
    commands: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    network: bool = False


@dataclass(frozen=True)
class ComponentPlan:
    """How one component is built: ``directory`` is relative to the source root.

    ``undeposited`` are the declared requirements that no deposited store holds by name, and
    ``undeposited_tools`` those of the build itself: not proof that they are missed, but named
    beside what a failed build misses. ``locked`` is False where declared dependencies of npm have
    no lock file.
    """

    name: str
    directory: str
    ecosystem: Ecosystem
    suite: str
    because: str
    phases: tuple[PhasePlan, ...]
    limits: Limits
    artifacts: tuple[str, ...] = ()
    system_packages: tuple[str, ...] = ()
    undeposited: tuple[str, ...] = ()
    undeposited_tools: tuple[str, ...] = ()
    locked: bool = True


@dataclass(frozen=True)
class TrialBuildPlan:
    """The order: components in the order of their build. ``drafted``: no recipe was deposited."""

    components: tuple[ComponentPlan, ...]
    drafted: bool
    source_date_epoch: int
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class PhaseResult:
    """How one container ended, and the first bytes of what it said.

    ``exit_code`` is None when we killed it (time, flood) or when the engine could not say.
    ``oom_killed`` is a failure whatever the exit code: a child can die unseen by its parent.
    """

    phase: str
    exit_code: int | None
    timed_out: bool
    oom_killed: bool
    output_flooded: bool
    wall_seconds: float
    stdout: bytes = b""
    stderr: bytes = b""

    @property
    def succeeded(self) -> bool:
        """Whether it ended by itself, with 0, within every limit."""
        stopped = self.timed_out or self.oom_killed or self.output_flooded
        return self.exit_code == 0 and not stopped


@dataclass(frozen=True)
class Artifact:
    """One file that a build made. ``path`` is relative to the workspace."""

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class ComponentResult:
    """What became of one component."""

    name: str
    verdict: Verdict
    phases: tuple[PhaseResult, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    findings: tuple[Finding, ...] = ()
    image: ImageId | None = None


@dataclass(frozen=True)
class TrialBuildResult:
    """What came back: the verdict over all components, and the evidence for it."""

    verdict: Verdict
    components: tuple[ComponentResult, ...]
    findings: tuple[Finding, ...] = ()
    log_sha256: str | None = None
    log_bytes: int = 0
    wall_seconds: float = 0.0

    @property
    def images(self) -> tuple[ImageId, ...]:
        """Every builder image that ran, each once, in order."""
        return tuple(dict.fromkeys(c.image for c in self.components if c.image is not None))
