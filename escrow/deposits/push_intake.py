"""Make a deposit of a push: open, seal the bundle, seal the deposit, acknowledge."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from escrow.deposits import records
from escrow.deposits.errors import DepositNotOpen, DepositUnfinished, GitFailed, PushUnsure
from escrow.deposits.git import BundleStream
from escrow.deposits.intake import Intake, OpenDeposit, PartDescription, StoredDeposit
from escrow.deposits.push_answers import TakenPush
from escrow.deposits.pushing import PushTarget
from escrow.deposits.repeats import EarlierPush, is_repetition
from escrow.ground.database import Session
from escrow.ground.digests import Sha256Hex
from escrow.ground.errors import NotFound, Refused
from escrow.ground.identifiers import DepositId, ProductId
from escrow.vault.age_keys import FileKey
from escrow.vault.blobs import BlobStore
from escrow.vault.sealing import PayloadSealer, SealedPayload

VIA = "git"
MEDIA = "git-bundle"
SOURCE = "source"

# Names the deposit that a push folder belongs to, for the sweep after a crash.
MARK = "deposit"

_log = logging.getLogger("escrow.deposits.push")


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
            DepositUnfinished: stored and logged; only the receipt is missing.
            PushUnsure: it could not be found out whether it is stored.
            EscrowError: not stored, and nothing of it is kept.
        """
        repeated = self._repeated(target, bundle)
        if repeated is not None:
            return repeated
        deposit = self._opened(target)
        (folder / MARK).write_text(deposit.id)
        tell("Sealing …")
        try:
            self._add_source(target, deposit, bundle)
        except BaseException:
            self.intake.abandon(deposit.id, target.actor)
            raise
        stored = self._sealed(deposit.id, target.actor)
        self._complete(stored)
        return _taken(stored, bundle)

    def note_acknowledged(self, taken: TakenPush) -> None:
        """Write down that the sender was told; pushed again, the same is then a new deposit."""
        with self.intake.database.writing() as session:
            records.note_acknowledged(session, taken.deposit_id, self.intake.clock.now())

    def _repeated(self, target: PushTarget, bundle: BundleStream) -> TakenPush | None:
        """Return the deposit that an unanswered push of the same has made, once it is complete.

        Raises:
            DepositUnfinished: there is one, and it still waits.
        """
        product_id = target.repository.product.id
        with self.intake.database.reading() as session:
            part = _newest_source(session, product_id, target.repository.slug)
            row = part and records.deposit_by_id(session, DepositId(part.deposit_id))
            agreements = self.intake.agreements_in_force(session, product_id)
        if part is None or not row or part.git is None or row.receipt_statement is None:
            return None
        earlier = EarlierPush(part.git["refs"], row.receipt_statement, row.acknowledged_at)
        if not is_repetition(bundle.refs, agreements, earlier):
            return None
        there = self.intake.stored(DepositId(row.id))
        try:
            self._complete(there)
        except DepositUnfinished as waits:
            if isinstance(waits.__cause__, Refused | NotFound):
                # Its lane is gone, so it never will be; what the sender brings now can be kept.
                return None
            raise
        objects, digest = part.git["objects"], Sha256Hex(part.git["pack_sha256"])
        return TakenPush(there.id, there.number, objects, part.size_bytes, digest, True)

    def _opened(self, target: PushTarget) -> OpenDeposit:
        return self.intake.open_deposit(
            target.repository.product.id,
            via=VIA,
            token_id=target.token_id,
            actor=target.actor,
            repository_id=target.repository.id,
        )

    def _sealed(self, deposit_id: DepositId, actor: str) -> StoredDeposit:
        """Seal the deposit; whether that was done is asked of the database when it failed."""
        try:
            return self.intake.seal(deposit_id, actor)
        except Exception as problem:
            try:
                self.intake.abandon(deposit_id, actor)
            except DepositNotOpen:
                # The transaction is there, and only its answer was lost: the deposit counts.
                return self.intake.stored(deposit_id)
            except Exception as second:
                raise _unsure() from second
            raise problem

    def _complete(self, stored: StoredDeposit) -> None:
        """Have the deposit completed; it is there now, whatever goes wrong from here on."""
        try:
            self.intake.complete(stored.id)
        except DepositUnfinished:
            raise
        except Exception as problem:
            _log.critical("deposit %s cannot be completed", stored.id, exc_info=problem)
            raise DepositUnfinished(
                f"Deposit {stored.number} is stored and logged; its receipt cannot be made yet.",
                "Nothing is lost, but the operator has to look: the cause stands in the log.",
                stored,
            ) from problem

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
        part = PartDescription(SOURCE, target.repository.slug, MEDIA)
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


def _taken(stored: StoredDeposit, bundle: BundleStream) -> TakenPush:
    summary = bundle.summary
    if summary is None:
        # Its part was made of what the bundle said at its end.
        raise RuntimeError("a bundle was sealed without being read")
    return TakenPush(
        stored.id, stored.number, summary.objects, summary.size_bytes, summary.pack_sha256
    )


def _unsure() -> PushUnsure:
    return PushUnsure(
        "Whether this push was stored could not be found out; the database does not answer.",
        "Push again later: if it was stored, that deposit answers, and no second one is made.",
    )


def _newest_source(session: Session, product_id: ProductId, repository: str) -> records.Part | None:
    """Return the part, as it was sent, from which a repository's source now comes."""
    newest = records.newest_sealed(session, product_id)
    if newest is None:
        return None
    for part in records.parts_of(session, DepositId(newest.id)):
        if part.kind == SOURCE and part.git and part.git["repository"] == repository:
            return records.part_by_id(session, part.carried_from) if part.carried_from else part
    return None
