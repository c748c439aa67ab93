"""Make the recovery kit of a trial build, and keep the images that it names."""

from __future__ import annotations

from dataclasses import dataclass

from builders.kit import PackagedPart, recovery_kit
from escrow.ground.paths import safe_name
from escrow.verification.attempt import Seen
from escrow.verification.gathering import Case
from escrow.verification.images import ImageKeeper
from escrow.verification.outcomes import Kit
from escrow.verification.parts import SealedPart
from escrow.verification.runner import Runner


@dataclass(frozen=True)
class KitMaker:
    """Makes kits, of builds that passed and of builds that failed."""

    runner: Runner
    keeper: ImageKeeper

    def make(self, case: Case, seen: Seen) -> Kit | None:
        """Return the kit of an examination; None where nothing was built.

        Raises:
            BuilderError, BlobStoreUnavailable: ours; an image could not be kept.
        """
        if seen.result is None or seen.plan is None or seen.inspection is None:
            return None
        means = self.runner.means(seen.result)
        if means is None:
            return None
        archives = {one.id: self.keeper.keep(one, self.runner.save_image) for one in means.images}
        parts = {one.label: _packaged(one) for one in case.deposit.parts}
        document = recovery_kit(seen.inspection, seen.plan, seen.result, means, archives, parts)
        return Kit(document, tuple(archives))


def part_path(kind: str, name: str) -> str:
    """Return where a part lies in a package, below the folder of its deposit."""
    return f"parts/{safe_name(kind)}/{safe_name(name)}"


def _packaged(part: SealedPart) -> PackagedPart:
    return PackagedPart(part_path(part.kind, part.name), part.sha256, part.size_bytes)
