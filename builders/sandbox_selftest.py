"""The sandbox tests itself: what hostile content tries must come to nothing in *this* engine.

A flag that is set is no proof: an engine without a cgroup controller, or a runtime that ignores
one, takes every flag and holds none. So each row of the hostile table is run for real, through the
same workspace as everything else, before anything is verified.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from importlib import resources

from builders.errors import SandboxUnsafe
from builders.orders import ImageId, Limits, PhaseResult
from builders.sandbox_engine import Engine, OnProgress
from builders.sandbox_workspace import Workspace

# Small enough that every bomb meets its limit within a second.
WORKSPACE_LIMITS = Limits(
    cpus=1.0, memory_bytes=96 << 20, disk_bytes=32 << 20, seconds=15, processes=64, files=2000
)
OUTPUT_BYTES_MAX = 1 << 20

# Beyond its second, the stubborn loop may take this long to be gone, on a loaded machine.
STUBBORN_SECONDS_MAX = 6.0

OpenWorkspace = Callable[[str, Limits], AbstractContextManager[Workspace]]


def _held(result: PhaseResult) -> bool:
    """The attack itself says that it came to nothing."""
    return result.succeeded and result.stdout.startswith(b"held")


def _was_killed_for_memory(result: PhaseResult) -> bool:
    """A child was killed, its parent ended with 0: the engine must have told us."""
    return result.oom_killed and not result.succeeded and b"broke" not in result.stdout


def _was_cut_for_output(result: PhaseResult) -> bool:
    return result.output_flooded and len(result.stdout) <= OUTPUT_BYTES_MAX


def _was_cut_for_time(result: PhaseResult) -> bool:
    return result.timed_out and result.wall_seconds < STUBBORN_SECONDS_MAX


@dataclass(frozen=True)
class HostileRow:
    """One attack, the limits it is run under, and how its failure is recognised."""

    name: str
    limits: Limits = WORKSPACE_LIMITS
    holds: Callable[[PhaseResult], bool] = _held


HOSTILE_TABLE: tuple[HostileRow, ...] = (
    HostileRow("fork_bomb"),
    HostileRow("memory_bomb", holds=_was_killed_for_memory),
    HostileRow("disk_fill"),
    HostileRow("big_file", limits=replace(WORKSPACE_LIMITS, disk_bytes=8 << 20)),
    HostileRow("inode_bomb"),
    HostileRow("rootfs_write"),
    HostileRow("host_reach"),
    HostileRow("network_reach"),
    HostileRow("log_flood", holds=_was_cut_for_output),
    HostileRow("privileges"),
    HostileRow("devices"),
    HostileRow("kernel_settings"),
    HostileRow("forbidden_syscalls"),
    HostileRow("leave_daemon"),
    HostileRow("find_daemon"),  # in the workspace that the row before left behind
    HostileRow("stubborn_loop", replace(WORKSPACE_LIMITS, seconds=1), _was_cut_for_time),
)

_proven: set[tuple[str, str, str]] = set()
_proving = threading.Lock()


def check_hostile_table(
    engine: Engine, image: ImageId, open_workspace: OpenWorkspace, on_progress: OnProgress
) -> None:
    """Run every row once; remember for the life of this process only that all held.

    Raises:
        SandboxUnsafe: naming the first row that does not hold.
    """
    key = (engine.identity, image, code_digest())
    with _proving:
        if key in _proven:
            return
        on_progress("testing the sandbox against hostile content")
        with open_workspace("self-test", WORKSPACE_LIMITS) as workspace:
            for row in HOSTILE_TABLE:
                check_row(workspace, image, row)
        _proven.add(key)


def check_row(workspace: Workspace, image: ImageId, row: HostileRow) -> PhaseResult:
    """Run one attack and return how it ended.

    Raises:
        SandboxUnsafe: it did not end as it must.
    """
    result = workspace.run(
        image,
        ("python3", "-c", _attacks(), row.name),
        phase=f"self-test {row.name}",
        environment={},
        limits=row.limits,
        stdout_limit_bytes=OUTPUT_BYTES_MAX,
    )
    if not row.holds(result):
        raise SandboxUnsafe(row.name, _described(result))
    return result


def _described(result: PhaseResult) -> str:
    said = (result.stdout + result.stderr)[-300:].decode("utf-8", "replace").strip()
    return (
        f"exit {result.exit_code}, timed out {result.timed_out}, "
        f"killed for memory {result.oom_killed}, flooded {result.output_flooded}, said {said!r}"
    )


def _attacks() -> str:
    return (resources.files("builders") / "sandbox_attacks.py").read_text(encoding="utf-8")


def code_digest() -> str:
    """Return the digest of everything that confines: another sandbox must prove itself anew."""
    digest = hashlib.sha256()
    for entry in sorted(resources.files("builders").iterdir(), key=lambda each: each.name):
        if entry.name.startswith(("sandbox", "seccomp")):
            digest.update(entry.name.encode() + entry.read_bytes())
    return digest.hexdigest()
