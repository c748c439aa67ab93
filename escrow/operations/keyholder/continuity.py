"""The keyholder's part in continuity: copies are made where headers are written, and logged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from escrow.deposits import records as deposits
from escrow.ground.database import Session
from escrow.ground.digests import sha256_hex
from escrow.ground.identifiers import AgreementId, DepositId
from escrow.ledger.events import NewEvent, Stream
from escrow.operations.keyholder.disk import KEYHOLDER
from escrow.operations.keyholder.grounds import Grounds, NotInLedger
from escrow.vault import records
from escrow.vault.continuity.copies import ContinuityFolder, CopiedPart
from escrow.vault.headers import open_header_record
from escrow.vault.releasing import AGENTS_LOCK, binding_of

DEALT = "vault:continuity:dealt"
KEPT = "vault:continuity:kept"

# An event holds 64 KiB; a digest with its ids takes some 200 bytes.
_COPIES_PER_EVENT = 200


def keep_copies(on: Grounds, session: Session, rows: Sequence[records.HeaderRecordRow]) -> None:
    """Keep a copy of each header of the agents' lock outside Lock B, and log its digest.

    Nothing happens where no holders are set. Files are written before the transaction commits;
    one that is left by a crash opens to nobody less, and is replaced by the next time's.

    Args:
        rows: written in this transaction; what is committed is never copied again.

    Raises:
        ContinuityUnavailable: the folder cannot be written; nothing is acknowledged then.
    """
    folder = on.continuity
    if folder is None:
        return
    for agreement in sorted({one.agreement_id for one in rows if one.lock == AGENTS_LOCK}):
        _deal(on, session, folder, AgreementId(agreement))
    for product in sorted({row.product_id for row in rows}):
        of_product = [one for one in rows if one.product_id == product and one.lock == AGENTS_LOCK]
        copies = iter([_copy(on, session, folder, row) for row in of_product])
        while some := list(islice(copies, _COPIES_PER_EVENT)):
            event = NewEvent(Stream("product", product), KEPT, KEYHOLDER, {"copies": some})
            on.scribe.append(session, event)


def _deal(
    on: Grounds, session: Session, folder: ContinuityFolder, agreement_id: AgreementId
) -> None:
    """Deal an agreement's continuity key, or log a dealing whose files alone are left.

    The files are written before the transaction commits. One that was rolled back left a key that
    the ledger does not know: it is the one that copies are sealed to, so it is logged again.
    """
    is_there = folder.has_key(agreement_id)
    dealt = folder.dealt_key(agreement_id) if is_there else folder.deal_key(agreement_id)
    stream = Stream("agreement", agreement_id)
    data = {
        "recipient_sha256": sha256_hex(dealt.recipient.encode()),
        "k": dealt.k,
        "n": len(dealt.share_files_sha256),
        "share_files_sha256": list(dealt.share_files_sha256),
    }
    if not is_there or not _is_logged(on, session, stream, data):
        on.scribe.append(session, NewEvent(stream, DEALT, KEYHOLDER, data))


def _is_logged(on: Grounds, session: Session, stream: Stream, data: Mapping[str, object]) -> bool:
    try:
        on.check_stated(session, stream, DEALT, KEYHOLDER, data)
    except NotInLedger:
        return False
    return True


def _copy(
    on: Grounds, session: Session, folder: ContinuityFolder, row: records.HeaderRecordRow
) -> dict[str, object]:
    agreement_id, deposit_id = AgreementId(row.agreement_id), DepositId(row.deposit_id)
    header = open_header_record(on.keys, row.key_id, binding_of(row), row.record)
    digest = folder.keep_header(agreement_id, deposit_id, row.part_id, row.epoch, header)
    for share in records.shares_of(session, agreement_id, row.epoch):
        folder.keep_share_file(agreement_id, row.epoch, share.index, share.share_file)
    parts = [
        CopiedPart(part.id, part.payload_sha256, part.encoding, part.kind)
        for part in deposits.parts_of(session, deposit_id)
        if part.carried_from is None
    ]
    folder.keep_parts(agreement_id, deposit_id, parts)
    return {
        "agreement_id": agreement_id,
        "deposit_id": deposit_id,
        "part_id": row.part_id,
        "epoch": row.epoch,
        "sha256": digest,
    }
