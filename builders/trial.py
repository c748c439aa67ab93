"""Inspect a deposit and run its trial builds in one workspace.

Pre-state: an open, empty workspace. Duties: the parts are unpacked and described; then each
component's phases run in order, each in a fresh container without network; what they left is
collected. Post-state: a result that stands for itself. A failed build is a result; a broken
engine is an exception (:mod:`builders.errors`), so that the caller can try again.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from builders.allowances import GIB, OUTPUT_BYTES_MAX, WORKSPACE_LIMITS
from builders.errors import EcosystemNotOffered, InspectionInvalid, SystemPackagesNotOffered
from builders.explain import Circumstances, LogReader
from builders.findings import Finding, listed, weighs_as_failure
from builders.inspection import DOCUMENT_BYTES_MAX, frames, parse_inspection
from builders.inspector.phases import phase_script
from builders.judging import component_verdict, judge_artifacts, whole_verdict
from builders.offers import offered_names
from builders.orders import (
    Artifact,
    ComponentPlan,
    ComponentResult,
    ImageId,
    InspectedPart,
    Inspection,
    Limits,
    Observation,
    PartInput,
    PhasePlan,
    PhaseResult,
    TrialBuildPlan,
    TrialBuildResult,
)
from builders.outputs import Collected, collection_order, parse_collected
from builders.sandbox import Sandbox, Workspace

OnLog = Callable[[bytes], None]

# The inspector as it lies in its image; ``-P`` keeps the deposit off its import path.
_INSPECTOR = ("python3", "-P", "-m", "builders.inspector")
_INSPECTOR_ENVIRONMENT = {"PYTHONPATH": "/opt/escrow", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
_INSPECTOR_DIRECTORY = "/ws"

# What it needs beside the files that it writes: manifests of 200,000 entries, and git's packs.
_INSPECTOR_MEMORY_BYTES = 2 * GIB
_INSPECTOR_SECONDS = 3_600.0

# Left for the spooled bundle's index and the folders themselves, of each 10 bytes of workspace.
_ROOM_OF_TEN = 9


def _unheard(_: bytes) -> None:
    """Take a log that nobody follows."""


def inspect_deposit(
    sandbox: Sandbox,
    workspace: Workspace,
    parts: Sequence[PartInput],
    limits: Limits = WORKSPACE_LIMITS,
) -> Inspection:
    """Unpack every part into the workspace and return what is known about it.

    Args:
        sandbox: for the inspector's image.
        workspace: empty; the source lies at ``/ws/src`` afterwards.
        parts: each stream is read once, in order.
        limits: those that the workspace was opened with.

    Raises:
        InspectionInvalid: the inspector did not return its document.
        BuilderError: the engine or the image is not to be had.
    """
    room_bytes = limits.disk_bytes * _ROOM_OF_TEN // 10
    order = {"mode": "inspect", "room_bytes": room_bytes}
    result = _run_inspector(sandbox, workspace, frames(order, parts), limits)
    if result.oom_killed or result.timed_out:
        return _too_much(parts, "time" if result.timed_out else "memory")
    return parse_inspection(_document(result))


def _run_inspector(
    sandbox: Sandbox, workspace: Workspace, stdin: Iterable[bytes], limits: Limits
) -> PhaseResult:
    return workspace.run(
        sandbox.builder_image("inspector"),
        _INSPECTOR,
        phase="inspect",
        environment=_INSPECTOR_ENVIRONMENT,
        limits=Limits(
            cpus=limits.cpus,
            memory_bytes=limits.disk_bytes + _INSPECTOR_MEMORY_BYTES,
            disk_bytes=limits.disk_bytes,
            seconds=_INSPECTOR_SECONDS,
        ),
        stdin=stdin,
        stdout_limit_bytes=DOCUMENT_BYTES_MAX,
        working_directory=_INSPECTOR_DIRECTORY,
    )


def _document(result: PhaseResult) -> bytes:
    if not result.succeeded:
        lines = result.stderr.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
        raise InspectionInvalid(f"the inspector ended with {result.exit_code} ({lines[-1][:200]})")
    return result.stdout


def _too_much(parts: Sequence[PartInput], what: str) -> Inspection:
    problem = {"problem": f"inspecting it takes more {what} than is given"}
    return Inspection(
        parts=tuple(InspectedPart(part.name, part.kind, part.media, 0, 0) for part in parts),
        entries=(),
        observations=tuple(
            Observation("too-large", part.name, facts=problem)
            for part in parts
            if part.kind == "source"
        ),
    )


def run_trial_builds(
    sandbox: Sandbox,
    workspace: Workspace,
    plan: TrialBuildPlan,
    inspection: Inspection,
    on_log: OnLog = _unheard,
) -> TrialBuildResult:
    """Build every component of a plan, one after another, and return what came of it.

    Args:
        sandbox: for the images.
        workspace: the one that :func:`inspect_deposit` unpacked into.
        plan: of this inspection.
        inspection: tells which results were deposited already.
        on_log: gets the build log in pieces, from another thread, while it grows.

    Raises:
        BuilderError: the engine or an image is not to be had; nothing is said about the deposit.
    """
    started = time.monotonic()
    log = _Log(on_log)
    trial = _Trial(sandbox, workspace, inspection, log)
    built = [trial.build(component, plan.findings) for component in plan.components]
    planned = {component.name for component in plan.components}
    left_out = dict.fromkeys(f.component for f in plan.findings if f.component is not None)
    for name in left_out:
        if name not in planned:
            own = tuple(f for f in plan.findings if f.component == name)
            built.append(ComponentResult(name, component_verdict(own, ran=False), findings=own))
    general = tuple(f for f in plan.findings if f.component is None)
    return TrialBuildResult(
        verdict=whole_verdict(built, general),
        components=tuple(built),
        findings=general,
        log_sha256=log.sha256(),
        log_bytes=log.size_bytes,
        wall_seconds=time.monotonic() - started,
    )


class _Log:
    """The one log of a trial: hashed, counted, and passed on."""

    def __init__(self, on_log: OnLog) -> None:
        self._on_log = on_log
        self._digest = hashlib.sha256()
        self._lock = threading.Lock()
        self.size_bytes = 0

    def write(self, data: bytes) -> None:
        """Take the next bytes, from whichever thread."""
        with self._lock:
            self._digest.update(data)
            self.size_bytes += len(data)
            self._on_log(data)

    def heading(self, text: str) -> None:
        """Write a line of our own."""
        self.write(f"=== {text}\n".encode("utf-8", "backslashreplace"))

    def sha256(self) -> str:
        """Return the digest of all that was written."""
        return self._digest.hexdigest()


class _Trial:
    """Builds components in one workspace."""

    def __init__(
        self, sandbox: Sandbox, workspace: Workspace, inspection: Inspection, log: _Log
    ) -> None:
        self._sandbox, self._workspace, self._log = sandbox, workspace, log
        self._deposited = frozenset(e.sha256 for e in inspection.entries if e.sha256 is not None)
        self._missing_submodules = tuple(
            seen.path for seen in inspection.observations if seen.kind == "submodule-missing"
        )

    def build(self, component: ComponentPlan, plan_findings: Iterable[Finding]) -> ComponentResult:
        """Run one component's phases and collect what it left."""
        own = tuple(f for f in plan_findings if f.component == component.name)
        image = self._image(component)
        if isinstance(image, Finding):
            findings = (*own, image)
            verdict = component_verdict(findings, ran=False)
            return ComponentResult(component.name, verdict, findings=findings)
        phases: list[PhaseResult] = []
        artifacts: tuple[Artifact, ...] = ()
        findings = own
        for phase in component.phases:
            result, explained = self._run(component, phase, image)
            phases.append(result)
            findings += explained
            if not result.succeeded:
                break
            if phase.name == "build":
                artifacts, judged = self._collect(component)
                findings += judged
                if weighs_as_failure(judged):
                    break
        return ComponentResult(
            name=component.name,
            verdict=component_verdict(findings, ran=True),
            phases=tuple(phases),
            artifacts=artifacts,
            findings=findings,
            image=image,
        )

    def _image(self, component: ComponentPlan) -> ImageId | Finding:
        try:
            return self._sandbox.builder_image(
                component.ecosystem,
                component.suite,
                packages=component.system_packages,
                on_progress=self._log.heading,
            )
        except SystemPackagesNotOffered as error:
            facts = {"packages": listed(component.system_packages), "problem": error.reason}
            return Finding("E-PLAN-SYSTEM-PACKAGES", facts, component.name)
        except EcosystemNotOffered:
            facts = {
                "toolchain": f"{component.ecosystem}@{component.suite}",
                "because": component.because,
                "offered": offered_names(),
            }
            return Finding("E-PLAN-TOOLCHAIN-NOT-OFFERED", facts, component.name)

    def _run(
        self, component: ComponentPlan, phase: PhasePlan, image: ImageId
    ) -> tuple[PhaseResult, tuple[Finding, ...]]:
        self._log.heading(
            f"{component.name}: {phase.name} ({component.ecosystem}@{component.suite})"
        )
        reader = LogReader(Circumstances(component, self._missing_submodules))

        def hear(stream: str, data: bytes) -> None:
            self._log.write(data)
            reader.feed(stream, data)

        result = self._workspace.run(
            image,
            ("/bin/sh", "-c", phase_script(phase.commands)),
            phase=phase.name,
            environment=phase.environment,
            limits=component.limits,
            stdout_limit_bytes=OUTPUT_BYTES_MAX,
            on_output=hear,
            working_directory=f"/ws/src/{component.directory}".rstrip("/"),
        )
        self._log.heading(f"{component.name}: {phase.name} ended with {_ending(result)}")
        return result, reader.explain(result)

    def _collect(
        self, component: ComponentPlan
    ) -> tuple[tuple[Artifact, ...], tuple[Finding, ...]]:
        order = collection_order(component)
        result = _run_inspector(self._sandbox, self._workspace, frames(order, ()), WORKSPACE_LIMITS)
        if not result.succeeded:
            problem = f"what the build left could not be read (exit code {result.exit_code})"
            return (), (Finding("E-OURS-ENGINE", {"problem": problem}, component.name),)
        collected: Collected = parse_collected(_document(result))
        return collected.artifacts, judge_artifacts(component.name, collected, self._deposited)


def _ending(result: PhaseResult) -> str:
    if result.timed_out:
        return "the time limit"
    if result.output_flooded:
        return "too much output"
    if result.oom_killed:
        return "its memory limit"
    return f"exit code {result.exit_code} after {result.wall_seconds:.1f} s"
