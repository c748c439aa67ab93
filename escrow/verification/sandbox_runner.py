"""The runner in our own sandbox: one workspace for each attempt, on the engine beside us."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from builders.errors import BuilderError
from builders.findings import Finding
from builders.inventory import inventory_findings
from builders.orders import Inspection, Limits, PartInput, TrialBuildPlan, TrialBuildResult
from builders.plan import plan_trial_builds
from builders.sandbox import Sandbox, Workspace
from builders.trial import inspect_deposit, run_trial_builds
from escrow.verification.runner import OnLog


class SandboxRunner:
    """A :class:`~escrow.verification.runner.Runner` on one container engine.

    Args:
        sandbox: proves itself before the first bench is opened.
        limits: the most that one deposit's workspace gets.
    """

    def __init__(self, sandbox: Sandbox, limits: Limits) -> None:
        self._sandbox = sandbox
        self._limits = limits

    @property
    def isolation(self) -> Mapping[str, str]:
        """How it separates a build, in machine words, for the report."""
        return {"runner": "containers", "network": "none", "filesystem": "read-only"}

    def check_safe(self) -> None:
        """Return when the sandbox held against every hostile row, once for this process."""
        self._sandbox.self_test()

    @contextmanager
    def bench(self, label: str) -> Iterator[SandboxBench]:
        """Open a bench for one attempt."""
        with self._sandbox.workspace(label, self._limits) as workspace:
            yield SandboxBench(self._sandbox, workspace, self._limits)

    def sweep(self, label: str) -> None:
        """Remove whatever a dead worker left of this examination."""
        self._sandbox.sweep(label)


class SandboxBench:
    """A :class:`~escrow.verification.runner.Bench` in one workspace."""

    def __init__(self, sandbox: Sandbox, workspace: Workspace, limits: Limits) -> None:
        self._sandbox = sandbox
        self._workspace = workspace
        self._limits = limits
        self._inspection: Inspection | None = None

    def inspect(self, parts: Sequence[PartInput]) -> tuple[Inspection, tuple[Finding, ...]]:
        """Unpack the parts and return what is known about them, and what is wrong with them."""
        inspection = inspect_deposit(self._sandbox, self._workspace, parts, self._limits)
        self._inspection = inspection
        return inspection, inventory_findings(inspection)

    def plan(self, inspection: Inspection) -> TrialBuildPlan:
        """Return how it is to be built, within this runner's limits."""
        return plan_trial_builds(inspection, self._limits)

    def build(self, plan: TrialBuildPlan, on_log: OnLog) -> TrialBuildResult:
        """Build it without network.

        Raises:
            BuilderError: nothing was inspected on this bench.
        """
        if self._inspection is None:
            raise BuilderError("Nothing was inspected on this bench.", "Inspect the parts first.")
        return run_trial_builds(self._sandbox, self._workspace, plan, self._inspection, on_log)
