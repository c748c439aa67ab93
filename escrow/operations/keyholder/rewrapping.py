"""Re-wrap file keys for a release: to the recipient, and to the epoch that follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from escrow.ground.database import Session
from escrow.ground.identifiers import DepositId, DocumentId
from escrow.ledger.events import Event, NewEvent, Stream
from escrow.operations.keyholder.disk import KEYHOLDER
from escrow.operations.keyholder.evidence_of_release import Evidence, proven_stream
from escrow.operations.keyholder.grounds import Grounds
from escrow.operations.keyholder.lanes import HEADERS_WRITTEN, described
from escrow.releases.errors import OfferBroken
from escrow.releases.history import Mark
from escrow.releases.offers import Offer, OfferedPart
from escrow.vault import documents, records
from escrow.vault.age import FileKey, HybridIdentity
from escrow.vault.permits import Permit, Purpose
from escrow.vault.releasing import (
    newest_agents_records,
    open_both_locks,
    reseal_to_epoch,
    write_released_header,
)

RESEALED = "vault:epoch:resealed"

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
            OfferBroken: a part has no header under this key, or one that nobody logged.
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
        written = [
            reseal_to_epoch(
                self.session, self.on.keys, row, self._opened(row), fresh, self.on.clock.now()
            )
            for row in self._records().values()
        ]
        described_rows = iter([described(row) for row in written])
        while some := list(islice(described_rows, _COMMITMENTS_PER_EVENT)):
            data = {"epoch": fresh.epoch, "headers": some}
            event = NewEvent(self.evidence.stream, RESEALED, KEYHOLDER, data)
            self.on.scribe.append(self.session, event)

    def _records(self) -> dict[str, records.HeaderRecordRow]:
        rows = records.headers_of_agreement(self.session, self.evidence.agreement_id)
        return newest_agents_records(rows, frozenset({self.evidence.epoch.epoch}))

    def _committed(self) -> set[tuple[object, ...]]:
        """Return every commitment that the keyholder logged for this agreement."""
        events: list[Event] = [one.event for one in self.evidence.events]
        for product_id in {one.product_id for one in self._records().values()}:
            stream = Stream("product", product_id)
            chain = proven_stream(self.on, self.session, stream)
            events += [one.event for one in chain.events]
        return {
            _key(header)
            for event in events
            if event.role == KEYHOLDER and event.type in (HEADERS_WRITTEN, RESEALED)
            for header in _headers(event)
        }

    def _hand_over_part(
        self, part: OfferedPart, row: records.HeaderRecordRow, expires_at: datetime
    ) -> None:
        permit = self._permit(DepositId(row.deposit_id), expires_at)
        write_released_header(
            self.session,
            permit,
            self.evidence.request_id,
            part.part_id,
            part.payload_sha256,
            self._opened(row),
            self.on.clock.now(),
        )

    def _hand_over_documents(self, deposit_id: DepositId, expires_at: datetime) -> None:
        if "source" not in self.evidence.history.condition.frees:
            return
        permit = self._permit(deposit_id, expires_at)
        for row in records.documents_of(self.session, deposit_id):
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

    def _opened(self, row: records.HeaderRecordRow) -> FileKey:
        return open_both_locks(self.on.keys, row, {row.epoch: self.identity})

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
    if _key(described(row)) not in committed:
        raise OfferBroken(f"nobody logged the commitment of part {part.part_id}")


def _headers(event: Event) -> Sequence[dict[str, object]]:
    headers = event.data["headers"]
    return headers if isinstance(headers, list) else []


def _key(header: dict[str, object]) -> tuple[object, ...]:
    return tuple(
        header[name] for name in ("agreement_id", "part_id", "lock", "epoch", "commitment")
    )
