"""The small error root of the builders.

::

    BuilderError
    ├── EngineUnavailable      no container engine answers, or it went away     (try later)
    ├── SandboxUnsafe          a row of the hostile table did not hold          (refuse to verify)
    ├── SettingInvalid         a setting of the sandbox cannot be used          (administrator)
    ├── EcosystemNotOffered    no builder image of this name or suite           (not tested)
    ├── SystemPackagesNotOffered   a Debian package of the recipe is unknown    (not tested)
    ├── ImageNotBuilt          a builder image could not be made                (try later)
    ├── RecipeInvalid          a recipe does not follow its schema              (findings)
    ├── InspectionInvalid      the inspector did not return its document        (page a person)
    ├── NetworkNotOffered      a phase asked for the network                    (not tested)
    ├── OutputAbsent           nothing lies at this path of the workspace       (a finding)
    └── OutputRefused          what came out of a workspace breaks a limit      (a finding)

A failed build is a result, never an exception: these errors say only that *we* could not try, or
that what the build left behind cannot be taken. The room above maps them once to its own tree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class BuilderError(Exception):
    """An error with a reason, a remedy addressed to the reader, and a stable code.

    Args:
        reason: one sentence: what is wrong. Never holds a secret or a deposited name.
        remedy: one sentence: what the reader can do about it.
    """

    code: ClassVar[str] = "builders.error"

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason} {remedy}")
        self.reason = reason
        self.remedy = remedy


class EngineUnavailable(BuilderError):
    """The container engine does not answer, or stopped answering during a run."""

    code = "builders.engine-unavailable"


class SandboxUnsafe(BuilderError):
    """A row of the hostile table did not come out as it must: nothing is run in this engine."""

    code = "builders.sandbox-unsafe"

    def __init__(self, row: str, observed: str) -> None:
        super().__init__(
            f"The sandbox does not hold: row '{row}' of its self-test came out as: {observed}.",
            "Use an engine that keeps Docker's limits (cgroups, seccomp, tmpfs volumes); "
            "nothing is verified until every row holds.",
        )
        self.row = row
        self.observed = observed


class SettingInvalid(BuilderError):
    """A setting of the sandbox has a value that cannot be used."""

    code = "builders.setting-invalid"


class EcosystemNotOffered(BuilderError):
    """No builder image of this ecosystem or suite is offered here."""

    code = "builders.ecosystem-not-offered"


class SystemPackagesNotOffered(BuilderError):
    """A Debian package that the recipe asks for is malformed or not in the suite."""

    code = "builders.system-packages-not-offered"


class ImageNotBuilt(BuilderError):
    """A base or builder image could not be made on this machine."""

    code = "builders.image-not-built"


class NetworkNotOffered(BuilderError):
    """A phase asked for the network, and no recording proxy stands between it and the world."""

    code = "builders.network-not-offered"


@dataclass(frozen=True)
class RecipeProblem:
    """One thing wrong in an escrow.toml: where, what, and what to do about it."""

    path: str
    reason: str
    remedy: str


class RecipeInvalid(BuilderError):
    """A recipe does not follow its schema; every problem found is listed."""

    code = "builders.recipe-invalid"

    def __init__(self, problems: tuple[RecipeProblem, ...]) -> None:
        first = problems[0]
        super().__init__(f"escrow.toml, at {first.path}: {first.reason}.", first.remedy)
        self.problems = problems


class InspectionInvalid(BuilderError):
    """The inspector's document breaks its own form: it failed, or something in it was broken."""

    code = "builders.inspection-invalid"

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"The inspector's document cannot be taken: {problem}.",
            "Try again; when it stays, look at the deposit by hand: it may attack the inspector.",
        )


class OutputAbsent(BuilderError):
    """Nothing lies at the path of the workspace that was asked for."""

    code = "builders.output-absent"


class OutputRefused(BuilderError):
    """An output read from a workspace is too large, or breaks off."""

    code = "builders.output-refused"
