"""Re-wrap file keys for a release: to the recipient, and to the epoch that follows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import cast

from escrow.custody import sealing_keys
from escrow.ground.database import Session
from escrow.ground.identifiers import AgreementId, DepositId, DocumentId
from escrow.ledger.chains import ChainedEvent
from escrow.ledger.events import Event, NewEvent, Stream
from escrow.operations.keyholder.continuity import keep_copies
from escrow.operations.keyholder.disk import KEYHOLDER
from escrow.operations.keyholder.evidence_of_release import Evidence, proven_stream
from escrow.operations.keyholder.grounds import Grounds
from escrow.operations.keyholder.lanes import HEADERS_WRITTEN, described
from escrow.operations.keyholder.not_opening import OTHER_KEY, note_not_opening
from escrow.releases.errors import OfferBroken
from escrow.releases.history import Mark
from escrow.releases.offers import Offer, OfferedPart
from escrow.vault import documents, records
from escrow.vault.age import HybridIdentity
from escrow.vault.permits import Permit, Purpose
from escrow.vault.releasing import (
    newest_agents_records,
    open_if_possible,
    reseal_to_epoch,
    write_released_header,
)
from escrow.verification.examinations import DOCUMENTS_SEALED

RESEALED = "vault:epoch:resealed"
BURNT = sealing_keys.BURNT

# An event holds 64 KiB; a commitment with its ids takes some 230 bytes.
_COMMITMENTS_PER_EVENT = 200


@dataclass(frozen=True)
class Rewrapping:
    """The work between the intent of a release and its certificate, in one transaction.

    Args:
        identity: the combined sealing key; nothing keeps it.
    """

    on: Grounds
    session: Session
    evidence: Evidence
    intent: Mark
    identity: HybridIdentity

    def hand_over(self, offer: Offer, expires_at: datetime) -> None:
        """Write a header to the recipient for every part and document of the offer.

        Raises:
            OfferBroken: a part has no header under this key, or one that nobody logged. One that
                its vendor sealed to another key is left out, and named by :meth:`reseal`.
            CommitmentBroken, HeaderRecordSwapped, NoIdentityMatches: a record was changed.
        """
        newest, committed = self._records(), self._committed()
        for part in offer.sent_parts():
            row = newest.get(part.part_id)
            _check_record(part, row, committed)
            if row is not None:
                self._hand_over_part(part, row, expires_at)
        for deposit in offer.deposits:
            self._hand_over_documents(DepositId(deposit.deposit_id), expires_at)

    def reseal(self, fresh: records.SealingEpochRow) -> None:
        """Seal every retained header of the agreement to the next epoch too, and log it."""
        rows = list(self._records().values())
        reseal_headers(self.on, self.session, self.evidence.stream, rows, self.identity, fresh)

    def _records(self) -> dict[str, records.HeaderRecordRow]:
        rows = records.headers_of_agreement(self.session, self.evidence.agreement_id)
        return newest_agents_records(rows, frozenset({self.evidence.epoch.epoch}))

    @cached_property
    def _logged(self) -> set[tuple[str, ...]]:
        """Return product, deposit, id and payload of every document that the worker logged."""
        return {
            (event.stream.id, str(event.data["deposit_id"]), one["id"], one["payload_sha256"])
            for event in (one.event for one in self._product_events)
            if (event.type, event.role) == (DOCUMENTS_SEALED, "worker")
            for one in cast("list[dict[str, str]]", event.data["documents"])
        }

    @cached_property
    def _product_events(self) -> list[ChainedEvent]:
        products = {one.product_id for one in self._records().values()}
        chains = (proven_stream(self.on, self.session, Stream("product", one)) for one in products)
        return [one for chain in chains for one in chain.events]

    def _committed(self) -> set[tuple[object, ...]]:
        """Return every commitment that the keyholder logged for this agreement."""
        return set(commitments_in([*self.evidence.events, *self._product_events]))

    def _hand_over_part(
        self, part: OfferedPart, row: records.HeaderRecordRow, expires_at: datetime
    ) -> None:
        file_key = open_if_possible(self.on.keys, row, {row.epoch: self.identity})
        if file_key is None:
            return
        write_released_header(
            self.session,
            self._permit(DepositId(row.deposit_id), expires_at),
            self.evidence.request_id,
            part.part_id,
            part.payload_sha256,
            file_key,
            self.on.clock.now(),
        )

    def _hand_over_documents(self, deposit_id: DepositId, expires_at: datetime) -> None:
        if "source" not in self.evidence.history.condition.frees:
            return
        permit = self._permit(deposit_id, expires_at)
        for row in records.documents_of(self.session, deposit_id):
            # A row that nobody logged may be another vendor's document.
            if (row.product_id, deposit_id, row.id, row.payload_sha256) not in self._logged:
                raise OfferBroken(f"nobody logged the document {row.id}")
            file_key = documents.open_document_key(self.session, self.on.keys, DocumentId(row.id))
            write_released_header(
                self.session,
                permit,
                self.evidence.request_id,
                row.id,
                row.payload_sha256,
                file_key,
                self.on.clock.now(),
            )

    def _permit(self, deposit_id: DepositId, expires_at: datetime) -> Permit:
        return Permit(
            purpose=Purpose.RELEASE,
            deposit_id=deposit_id,
            agreement_id=self.evidence.agreement_id,
            recipient=self.evidence.history.subject.recipient,
            logged_as=self.intent.entry_sha256,
            expires_at=expires_at,
        )


def _check_record(
    part: OfferedPart, row: records.HeaderRecordRow | None, committed: set[tuple[object, ...]]
) -> None:
    if row is None:
        raise OfferBroken(f"part {part.part_id} has no header under the key of this epoch")
    if row.payload_sha256 != part.payload_sha256 or row.deposit_id != part.deposit_id:
        raise OfferBroken(f"the header of part {part.part_id} is of another payload")
    if header_key(row) not in committed:
        raise OfferBroken(f"nobody logged the commitment of part {part.part_id}")


def _headers(event: Event) -> Sequence[dict[str, object]]:
    headers = event.data["headers"]
    return headers if isinstance(headers, list) else []


def reseal_headers(
    on: Grounds,
    session: Session,
    stream: Stream,
    rows: Sequence[records.HeaderRecordRow],
    identity: HybridIdentity,
    fresh: records.SealingEpochRow,
) -> None:
    """Seal headers of an agreement to its next epoch too, and log the commitments.

    Those of client-sealed parts that do not open are logged by name and left as they are.

    Args:
        stream: the agreement's.
        rows: of the epoch whose key was combined.
        identity: that key; nothing keeps it.

    Raises:
        CommitmentBroken, HeaderRecordSwapped, NoIdentityMatches: a record was changed.
    """
    written: list[records.HeaderRecordRow] = []
    closed: list[tuple[str, str, int]] = []
    for row in rows:
        file_key = open_if_possible(on.keys, row, {row.epoch: identity})
        if file_key is None:
            closed.append((row.deposit_id, row.part_id, row.epoch))
        else:
            now = on.clock.now()
            written.append(reseal_to_epoch(session, on.keys, row, file_key, fresh, now))
    note_not_opening(on, session, AgreementId(stream.id), closed, OTHER_KEY)
    described_rows = iter([described(row) for row in written])
    while some := list(islice(described_rows, _COMMITMENTS_PER_EVENT)):
        data = {"epoch": fresh.epoch, "headers": some}
        on.scribe.append(session, NewEvent(stream, RESEALED, KEYHOLDER, data))
    keep_copies(on, session, written)


def commitments_in(events: Iterable[ChainedEvent]) -> Iterator[tuple[object, ...]]:
    """Yield every commitment that the keyholder logged in these proven events."""
    for event in (one.event for one in events):
        if event.role == KEYHOLDER and event.type in (HEADERS_WRITTEN, RESEALED):
            yield from map(_key, _headers(event))


def header_key(row: records.HeaderRecordRow) -> tuple[object, ...]:
    """Return what a header record is compared with a logged commitment by."""
    return _key(described(row))


def _key(header: dict[str, object]) -> tuple[object, ...]:
    return tuple(
        header[name] for name in ("agreement_id", "part_id", "lock", "epoch", "commitment")
    )
