"""Make a deposit of a push: open, seal the bundle, seal the deposit, acknowledge."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from escrow.deposits.errors import DepositNotOpen, GitFailed
from escrow.deposits.git import BundleStream
from escrow.deposits.intake import Intake, OpenDeposit, PartDescription
from escrow.deposits.pushing import PushTarget, TakenPush
from escrow.ground.identifiers import ProductId
from escrow.vault.age_keys import FileKey
from escrow.vault.blobs import BlobStore
from escrow.vault.sealing import PayloadSealer, SealedPayload

VIA = "git"
MEDIA = "git-bundle"

# Names the deposit that a push folder belongs to, for the sweep after a crash.
MARK = "deposit"


@dataclass(frozen=True)
class GitIntake:
    """A :class:`~escrow.deposits.pushing.PushIntake` over the real intake.

    Attributes:
        intake: makes the deposit.
        blobs: where the sealed bundle is stored.
    """

    intake: Intake
    blobs: BlobStore

    def check_welcome(self, target: PushTarget) -> None:
        """Refuse a push to a product without an agreement in force."""
        self.intake.check_welcome(target.repository.product.id)

    def take_push(
        self, target: PushTarget, bundle: BundleStream, folder: Path, tell: Callable[[str], None]
    ) -> TakenPush:
        """Seal and store the bundle, then make the deposit; on failure the deposit is given up.

        Raises:
            DepositUnfinished: sealed and logged; only the receipt is missing.
            EscrowError: not sealed, and nothing of it is kept.
        """
        product_id: ProductId = target.repository.product.id
        deposit = self.intake.open_deposit(
            product_id,
            via=VIA,
            token_id=target.token_id,
            actor=target.actor,
            repository_id=target.repository.id,
        )
        (folder / MARK).write_text(deposit.id)
        try:
            tell("Sealing …")
            self._add_source(target, deposit, bundle)
            sealed = self.intake.finish(deposit.id, target.actor)
        except BaseException:
            # A deposit that only lacks its receipt is not open any more, and stays.
            with contextlib.suppress(DepositNotOpen):
                self.intake.abandon(deposit.id, target.actor)
            raise
        summary = bundle.summary
        if summary is None:
            raise GitFailed("The bundle was not read to its end.", "Push again.")
        return TakenPush(
            deposit.id, sealed.number, summary.objects, summary.size_bytes, summary.pack_sha256
        )

    def _add_source(self, target: PushTarget, deposit: OpenDeposit, bundle: BundleStream) -> None:
        file_key = FileKey.generate()
        sealed = self._seal(bundle, file_key)
        if bundle.summary is None:
            raise GitFailed("The bundle was not read to its end.", "Push again.")
        git = {
            "repository": target.repository.slug,
            "refs": bundle.refs,
            "head_commit": bundle.head_commit,
            "pack_sha256": bundle.summary.pack_sha256,
            "objects": bundle.summary.objects,
        }
        part = PartDescription("source", target.repository.slug, MEDIA)
        with self.intake.database.writing() as session:
            self.intake.add_part(session, deposit.id, part, sealed, file_key, git)

    def _seal(self, bundle: BundleStream, file_key: FileKey) -> SealedPayload:
        # Git has compressed every object; trying again would only take time.
        sealer = PayloadSealer(self.blobs.stage(), file_key, encoding="identity")
        try:
            for chunk in bundle.chunks():
                sealer.write(chunk)
            return sealer.finish()
        except BaseException:
            sealer.discard()
            raise
