"""The runner in our own sandbox: one workspace for each attempt, no network in any phase."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from builders.findings import Finding
from builders.inventory import inventory_findings
from builders.kit import Means, Role, UsedImage
from builders.orders import (
    ImageId,
    Inspection,
    Limits,
    PartInput,
    TrialBuildPlan,
    TrialBuildResult,
)
from builders.plan import plan_trial_builds
from builders.sandbox import Sandbox, Workspace
from builders.trial import inspect_deposit, run_trial_builds
from escrow.verification.runner import OnLog


class SandboxRunner:
    """A :class:`~escrow.verification.runner.Runner` over a container engine.

    Args:
        sandbox: the only door to it.
        limits: the most that one deposit gets; a component asks for less, or is not tested.
        isolation: what else the report is to say of the engine, in machine words.
    """

    def __init__(
        self, sandbox: Sandbox, limits: Limits, isolation: Mapping[str, str] | None = None
    ) -> None:
        self._sandbox = sandbox
        self._limits = limits
        self._is_proven = False
        self._isolation = {
            "runner": "container",
            "network": "none",
            "containers": "one-per-phase",
            **(isolation or {}),
        }

    @property
    def isolation(self) -> Mapping[str, str]:
        """How a build is separated."""
        return self._isolation

    @property
    def is_proven(self) -> bool:
        """Whether the self-test has held in this process."""
        return self._is_proven

    def check_safe(self) -> None:
        """Run the sandbox's self-test, once for this process.

        Raises:
            SandboxUnsafe: a row of the hostile table does not hold.
            EngineUnavailable: no engine answers.
        """
        self._sandbox.self_test()
        self._is_proven = True

    @contextmanager
    def bench(self, label: str) -> Iterator[SandboxBench]:
        """Open a workspace; it and every container over it are gone afterwards."""
        with self._sandbox.workspace(label, self._limits) as workspace:
            yield SandboxBench(self._sandbox, workspace, self._limits)

    def means(self, result: TrialBuildResult) -> Means | None:
        """Name the images of every component, and the inspector's, which laid the parts out."""
        inspector = self._sandbox.builder_image("inspector")
        used = [self._used("inspector", inspector)]
        used += [self._used("builder", image) for image in result.images]
        return Means(self._limits, tuple(used))

    def _used(self, role: Role, image: ImageId) -> UsedImage:
        return UsedImage(role, image, self._sandbox.image_name(image))

    def save_image(self, image: ImageId) -> Iterator[bytes]:
        """Have the engine save it."""
        return self._sandbox.save_image(image)

    def sweep(self, label: str) -> None:
        """Remove what dead workers left of an examination."""
        self._sandbox.sweep(label)


@dataclass
class SandboxBench:
    """One workspace on its way through inspection and build."""

    sandbox: Sandbox
    workspace: Workspace
    limits: Limits
    _inspection: Inspection | None = None

    def inspect(self, parts: Sequence[PartInput]) -> tuple[Inspection, tuple[Finding, ...]]:
        """Unpack the parts inside the workspace and look at them."""
        inspection = inspect_deposit(self.sandbox, self.workspace, parts, self.limits)
        self._inspection = inspection
        return inspection, inventory_findings(inspection)

    def plan(self, inspection: Inspection) -> TrialBuildPlan:
        """Plan within this installation's limits."""
        return plan_trial_builds(inspection, self.limits)

    def build(self, plan: TrialBuildPlan, on_log: OnLog) -> TrialBuildResult:
        """Build in the workspace that was inspected."""
        if self._inspection is None:
            raise ValueError("a bench is inspected before it builds")
        return run_trial_builds(self.sandbox, self.workspace, plan, self._inspection, on_log)
