"""The keyholder's part in continuity: copies are made where headers are written, and logged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice

from escrow.deposits import records as deposits
from escrow.ground.database import Session, when_committed
from escrow.ground.digests import sha256_hex
from escrow.ground.identifiers import AgreementId, DepositId
from escrow.ledger.events import NewEvent, Stream
from escrow.operations.keyholder.disk import KEYHOLDER
from escrow.operations.keyholder.grounds import Grounds, NotInLedger
from escrow.vault import records
from escrow.vault.continuity.copies import ContinuityFolder, CopiedPart, Dealing
from escrow.vault.headers import AGENTS_LOCKS, open_header_record
from escrow.vault.releasing import binding_of

DEALT = "vault:continuity:dealt"
KEPT = "vault:continuity:kept"

# An event holds 64 KiB; a digest with its ids takes some 200 bytes.
_COPIES_PER_EVENT = 200


def keep_copies(on: Grounds, session: Session, rows: Sequence[records.HeaderRecordRow]) -> None:
    """Keep a copy of each header of the agents' lock outside Lock B, and log its digest.

    Nothing happens where no holders are set. With an agreement's first headers after a start
    those of before are completed: holders may have been named, or others, since. Files are
    written before the transaction commits; one that is left by a crash opens to nobody less, and
    is replaced by the next time's.

    Args:
        rows: written in this transaction; what is committed is never copied again.

    Raises:
        ContinuityUnavailable: the folder cannot be written; nothing is acknowledged then.
    """
    folder = on.continuity
    if folder is None:
        return
    own = [one for one in rows if one.lock in AGENTS_LOCKS]
    for agreement in sorted({AgreementId(one.agreement_id) for one in own}):
        of_agreement = [one for one in own if one.agreement_id == agreement]
        with folder.dealing(agreement) as dealing:
            _log_dealing(on, session, dealing)
            if dealing.is_fresh or not folder.is_complete(agreement):
                retained = records.headers_of_agreement(session, agreement)
                older = [one for one in retained if one.lock in AGENTS_LOCKS and one not in own]
                of_agreement += [one for one in older if not _is_kept(dealing, one)]
            _copy_all(on, session, dealing.folder, of_agreement)
            when_committed(session, partial(folder.note_complete, agreement))


def _is_kept(dealing: Dealing, row: records.HeaderRecordRow) -> bool:
    deposit_id = DepositId(row.deposit_id)
    return not dealing.is_fresh and dealing.folder.has_header(
        dealing.agreement_id, deposit_id, row.part_id, row.epoch
    )


def _copy_all(
    on: Grounds,
    session: Session,
    folder: ContinuityFolder,
    rows: Sequence[records.HeaderRecordRow],
) -> None:
    for product in sorted({row.product_id for row in rows}):
        copies = iter(
            [_copy(on, session, folder, one) for one in rows if one.product_id == product]
        )
        while some := list(islice(copies, _COPIES_PER_EVENT)):
            event = NewEvent(Stream("product", product), KEPT, KEYHOLDER, {"copies": some})
            on.scribe.append(session, event)


def _log_dealing(on: Grounds, session: Session, dealing: Dealing) -> None:
    """Log a dealing that is new, or whose files alone are left.

    The files are written before the transaction commits. One that was rolled back left a key that
    the ledger does not know: it is the one that copies are sealed to, so it is logged again.
    """
    dealt = dealing.folder.dealt_key(dealing.agreement_id)
    stream = Stream("agreement", dealing.agreement_id)
    data = {
        "recipient_sha256": sha256_hex(dealt.recipient.encode()),
        "k": dealt.k,
        "n": len(dealt.share_files_sha256),
        "share_files_sha256": list(dealt.share_files_sha256),
    }
    if dealing.is_fresh or not _is_logged(on, session, stream, data):
        # What was copied under it may be logged no more than it is.
        dealing.is_fresh = True
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
