"""Who runs a verification of an opened deposit: the port, and the runner in our own sandbox.

The order that a runner takes and the result that it returns are :mod:`builders.orders`, a public
contract: an agency's own hardware may be another runner. The report says with what isolation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from builders.findings import Finding
from builders.kit import Means
from builders.orders import ImageId, Inspection, PartInput, TrialBuildPlan, TrialBuildResult

OnLog = Callable[[bytes], None]


class Bench(Protocol):
    """One opened deposit on its way through inspection and build; used by one thread.

    The three calls come in this order, each once; :meth:`build` may be left out.
    """

    def inspect(self, parts: Sequence[PartInput]) -> tuple[Inspection, tuple[Finding, ...]]:
        """Take the plaintext in, look at it without running it, and say what was found.

        Raises:
            BuilderError: ours; nothing is known about the deposit.
        """
        ...

    def plan(self, inspection: Inspection) -> TrialBuildPlan:
        """Return how it is to be built."""
        ...

    def build(self, plan: TrialBuildPlan, on_log: OnLog) -> TrialBuildResult:
        """Build it without network; a build that fails is a result.

        Raises:
            BuilderError: ours; nothing is known about the build.
        """
        ...


class Runner(Protocol):
    """Whoever offers benches; everything of a bench is gone when its context ends."""

    @property
    def isolation(self) -> Mapping[str, str]:
        """How it separates a build, in machine words, for the report."""
        ...

    @property
    def is_proven(self) -> bool:
        """Whether :meth:`check_safe` has held in this process, so that it returns at once."""
        ...

    def check_safe(self) -> None:
        """Return when the runner may be trusted with hostile bytes.

        Raises:
            BuilderError: it may not, or it cannot be reached.
        """
        ...

    def bench(self, label: str) -> AbstractContextManager[Bench]:
        """Open a bench for one attempt; ``label`` is the examination's id."""
        ...

    def means(self, result: TrialBuildResult) -> Means | None:
        """Return with what a build was made; None where nobody else could rebuild with it.

        Raises:
            BuilderError: it cannot be reached.
        """
        ...

    def save_image(self, image: ImageId) -> Iterator[bytes]:
        """Yield an image of those means as the tar that ``docker load`` takes.

        Raises:
            BuilderError: it cannot be reached.
        """
        ...

    def sweep(self, label: str) -> None:
        """Remove whatever a dead worker left of this examination; repeatable.

        Raises:
            BuilderError: it cannot be reached.
        """
        ...
