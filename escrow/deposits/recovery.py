"""After a crash: nothing half-received stays, nothing sealed stays without its receipt.

Run once when the process starts, before it answers. Every step may be repeated.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from escrow.deposits import pushing, records, uploads
from escrow.deposits.errors import DepositNotOpen, DepositUnknown
from escrow.deposits.intake import Intake
from escrow.deposits.push_intake import MARK, VIA
from escrow.deposits.uploads import UploadDesk
from escrow.ground.identifiers import DepositId
from escrow.vault.blobs import BlobStore

# No push takes so long; one that is still open belongs to a process that is gone with its scratch.
PUSH_IS_OVER_AFTER = timedelta(hours=6)

ACTOR = "portal"

_log = logging.getLogger("escrow.deposits.recovery")


@dataclass(frozen=True)
class Cleared:
    """What a start-up found and did."""

    pushes_removed: int
    deposits_abandoned: int
    stagings_discarded: int
    uploads_expired: int
    deposits_unfinished: int


def clear_up(intake: Intake, desk: UploadDesk, blobs: BlobStore, push_scratch: Path) -> Cleared:
    """Remove what dead pushes and uploads left, and complete what was sealed.

    Args:
        intake: gives deposits up and completes them.
        desk: knows which uploads can go on.
        blobs: its staging is swept; no other process of the installation may be staging.
        push_scratch: where push folders lie.
    """
    folders = list(push_scratch.glob(f"{pushing.FOLDER_PREFIX}*"))
    marked = {DepositId(mark) for folder in folders for mark in _marks(folder)}
    abandoned = sum(_abandon(intake, deposit_id) for deposit_id in marked | _overdue(intake))
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    expired = desk.expire()
    _remove_orphans(desk)
    discarded = blobs.sweep_staging(desk.staging_in_use())
    unfinished = intake.complete_unfinished()
    cleared = Cleared(len(folders), abandoned, discarded, expired, unfinished)
    _log.info("intake cleared up: %s", cleared)
    return cleared


def _marks(folder: Path) -> Iterator[str]:
    mark = folder / MARK
    if mark.is_file():
        yield mark.read_text().strip()


def _overdue(intake: Intake) -> set[DepositId]:
    """Pushes whose scratch vanished with the machine's memory."""
    with intake.database.reading() as session:
        limit = intake.clock.now() - PUSH_IS_OVER_AFTER
        return {DepositId(row.id) for row in records.open_before(session, VIA, limit)}


def _abandon(intake: Intake, deposit_id: DepositId) -> bool:
    try:
        intake.abandon(deposit_id, ACTOR)
    except (DepositNotOpen, DepositUnknown):
        return False
    return True


def _remove_orphans(desk: UploadDesk) -> None:
    known = desk.folders_in_use()
    for folder in desk.scratch.glob(f"{uploads.FOLDER_PREFIX}*"):
        if folder not in known:
            shutil.rmtree(folder, ignore_errors=True)
