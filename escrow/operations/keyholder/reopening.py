"""Open one real deposit for one more verification: logged first, sealed to the pinned workers."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence

from escrow.custody import records
from escrow.ground.database import Session
from escrow.ground.digests import canonical_json, sha256_hex
from escrow.ground.identifiers import AgreementId, ProductId
from escrow.ledger.chains import ProvenChain
from escrow.ledger.events import NewEvent, Stream
from escrow.operations.keyholder.disk import KEYHOLDER
from escrow.operations.keyholder.evidence_of_release import proven_stream
from escrow.operations.keyholder.grounds import Grounds, NotInLedger
from escrow.operations.keyholder.reopened_keys import REOPENED, REOPENING_LIFETIME
from escrow.operations.keyholder.rewrapping import commitments_in, header_key
from escrow.vault import records as vault
from escrow.vault.age import HybridIdentity, encrypt_bytes, parse_recipient
from escrow.vault.headers import AGENTS_LOCK
from escrow.vault.releasing import open_both_locks
from escrow.verification import records as verification


def reopen_last_verified(
    on: Grounds,
    session: Session,
    row: records.SessionRow,
    chain: ProvenChain,
    headers: Sequence[vault.HeaderRecordRow],
    identity: HybridIdentity,
) -> None:
    """Open the last verified deposit of each product through both locks, for the worker alone.

    That its headers open is the proof that a release would; that it builds still is what the
    worker finds out. Where nothing was verified yet the newest deposit is opened. What its vendor
    sealed is never opened for a worker: no program of ours is to see it.

    Args:
        chain: of the agreement, proven.
        headers: of the agents' lock in the epoch that was combined.
        identity: the combined sealing key.

    Raises:
        NotInLedger: a header that nobody logged.
        CommitmentBroken, HeaderRecordSwapped, NoIdentityMatches: a record was changed.
    """
    ours = [one for one in headers if one.lock == AGENTS_LOCK]
    for product_id in sorted({one.product_id for one in ours}):
        of_product = [one for one in ours if one.product_id == product_id]
        deposit_id = _chosen(session, ProductId(product_id), of_product)
        opened = [one for one in of_product if one.deposit_id == deposit_id]
        product = proven_stream(on, session, Stream("product", product_id))
        committed = set(commitments_in([*chain.events, *product.events]))
        if any(header_key(one) not in committed for one in opened):
            raise NotInLedger(
                "A header of the deposit was logged by nobody.", "Nothing was opened."
            )
        _seal_to_worker(on, session, row, opened, identity)


def _seal_to_worker(
    on: Grounds,
    session: Session,
    row: records.SessionRow,
    opened: Sequence[vault.HeaderRecordRow],
    identity: HybridIdentity,
) -> None:
    first, now = opened[0], on.clock.now()
    keys = dict(_file_keys(on, opened, identity))
    workers = [on.workers[name] for name in sorted(on.workers)]
    sealed = encrypt_bytes(canonical_json(keys), [parse_recipient(one) for one in workers])
    data = {
        "session_id": row.id,
        "deposit_id": first.deposit_id,
        "agreement_id": first.agreement_id,
        "recipient_sha256": sha256_hex("\n".join(workers).encode()),
        # What the worker will get is these keys, which match their commitments, and no others.
        "sealed_keys_sha256": sha256_hex(sealed),
    }
    stream = Stream("product", first.product_id)
    entry = on.scribe.append(session, NewEvent(stream, REOPENED, KEYHOLDER, data))
    kept = records.ReopeningRow(
        deposit_id=first.deposit_id,
        session_id=row.id,
        agreement_id=first.agreement_id,
        product_id=first.product_id,
        sealed_keys=sealed,
        entry_sha256=entry.entry_sha256,
        opened_at=now,
        closes_at=now + REOPENING_LIFETIME,
    )
    session.merge(kept)
    session.flush()


def _file_keys(
    on: Grounds, opened: Sequence[vault.HeaderRecordRow], identity: HybridIdentity
) -> Iterator[tuple[str, str]]:
    for one in opened:
        file_key = open_both_locks(on.keys, one, {one.epoch: identity})
        yield one.part_id, base64.b64encode(file_key.raw).decode()


def _chosen(
    session: Session, product_id: ProductId, headers: Sequence[vault.HeaderRecordRow]
) -> str:
    there = {one.deposit_id for one in headers}
    agreement_id = AgreementId(headers[0].agreement_id)
    badge = verification.badge_of(session, product_id, agreement_id)
    if badge is not None and badge.deposit_id in there:
        return badge.deposit_id
    # Ids sort by time of birth.
    return max(there)
