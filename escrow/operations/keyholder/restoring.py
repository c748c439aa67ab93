"""Header records that the database lost, brought back from the replica's files.

The worker lays the record in its note of it. It is a row like any other: believed because this
keyholder itself wrapped it, opened under the agreement's key for exactly its place, and because its
commitment stands in the ledger. Nothing that stands is written over, and nothing that was shredded
or destroyed comes back.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, cast

from escrow.endings.letting_go import payloads_let_go
from escrow.ground.clock import parse_rfc3339
from escrow.ground.database import Session
from escrow.ground.errors import EscrowError, InvalidInput, Refused
from escrow.ground.identifiers import AgreementId
from escrow.ledger.events import NewEvent, Stream
from escrow.operations.keyholder.disk import KEYHOLDER
from escrow.operations.keyholder.evidence_of_release import proven_stream
from escrow.operations.keyholder.grounds import Grounds, NotInLedger
from escrow.operations.keyholder.lanes import described
from escrow.operations.keyholder.rewrapping import commitments_in, header_key
from escrow.vault import records
from escrow.vault.headers import lock_of, open_header_record
from escrow.vault.lasting_headers import key_id_of
from escrow.vault.releasing import binding_of
from escrow.vault.storage import records as storage

RESTORED = "vault:header:restored"


class HeaderStands(Refused):
    """A header record that stands and opens was to be replaced."""

    code = "keyholder.header-stands"

    def __init__(self) -> None:
        super().__init__("The header record stands and opens.", "Nothing has to be brought back.")


class HeaderLetGo(Refused):
    """A header record was to be brought back to a payload that was shredded."""

    code = "keyholder.header-let-go"

    def __init__(self) -> None:
        super().__init__(
            "The payload of this header was shredded, as was due.", "Nothing is brought back."
        )


class RecordMalformed(InvalidInput):
    """What is to be brought back is no header record."""

    code = "keyholder.record-malformed"

    def __init__(self) -> None:
        super().__init__(
            "What was sent is no header record.", "Look at the replica's file (docs/storage.md)."
        )


class Restoring:
    """The keyholder's dealings with header records that were lost."""

    def __init__(self, grounds: Grounds) -> None:
        self._on = grounds

    def restore_headers(self, agreement_id: str, deposit_id: str, part_id: str) -> None:
        """Write the offered header records of a part again, each once it is proven.

        1. Its commitment was logged for this place. 2. Its payload was not let go. 3. It opens
        under the agreement's key, for exactly this place. 4. What stands there does not.

        Raises:
            RecordMalformed: what is offered is none.
            NotInLedger, ProofFails, ChainBroken: question 1.
            HeaderLetGo: question 2.
            HeaderRecordSwapped, KeyMissing, KeyDestroyed: question 3.
            HeaderStands: question 4.
        """
        on, key, problems = self._on, (agreement_id, deposit_id, part_id), list[EscrowError]()
        on.sequence()
        with on.database.reading() as session:
            offered = [one.offered for one in storage.header_copies(session, key) if one.offered]
        for text in offered:
            try:
                with on.database.writing() as session:
                    self._restore(session, _row(key, text))
            except EscrowError as problem:
                # One that does not hold must not keep the others away.
                problems.append(problem)
        on.sequence()
        if problems:
            raise problems[0]

    def _restore(self, session: Session, row: records.HeaderRecordRow) -> None:
        on = self._on
        on.sequencer.sequence(session)
        # 1. and 2.
        self._check_logged(session, row)
        # 3.
        open_header_record(on.keys, row.key_id, binding_of(row), row.record)
        # 4.
        self._take_out_damaged(session, row)
        records.add(session, row)
        data = {"deposit_id": row.deposit_id, "header": described(row)}
        event = NewEvent(Stream("product", row.product_id), RESTORED, KEYHOLDER, data)
        on.scribe.append(session, event)

    def _check_logged(self, session: Session, row: records.HeaderRecordRow) -> None:
        product = proven_stream(self._on, session, Stream("product", row.product_id))
        agreement = proven_stream(self._on, session, Stream("agreement", row.agreement_id))
        logged = set(commitments_in([*product.events, *agreement.events]))
        if header_key(row) not in logged:
            raise NotInLedger(
                "The ledger has no such header.",
                "Nothing was brought back; the operator has to compare database and ledger.",
            )
        if row.payload_sha256 in payloads_let_go([one.event for one in product.events]):
            raise HeaderLetGo

    def _take_out_damaged(self, session: Session, row: records.HeaderRecordRow) -> None:
        """Delete what stands in the record's place and is not what was logged, or does not open."""
        key = (row.agreement_id, row.deposit_id, row.part_id)
        standing = storage.header_rows(session, key)
        held = next((one for one in standing if _same_place(one, row)), None)
        if held is None:
            return
        try:
            is_good = header_key(held) == header_key(row)
            open_header_record(self._on.keys, row.key_id, binding_of(held), held.record)
        except EscrowError:
            is_good = False
        if is_good:
            raise HeaderStands
        storage.remove(session, held)


def _same_place(one: records.HeaderRecordRow, other: records.HeaderRecordRow) -> bool:
    return (one.product_id, one.lock, one.epoch) == (other.product_id, other.lock, other.epoch)


def _row(key: storage.PartKey, text: str) -> records.HeaderRecordRow:
    """Return the record as it would stand in the database; nothing of it is believed.

    Raises:
        RecordMalformed: it is none.
    """
    try:
        agreement_id, deposit_id, part_id = key
        value = cast("Mapping[str, Any]", json.loads(text))
        return records.HeaderRecordRow(
            agreement_id=agreement_id,
            product_id=str(value["product_id"]),
            deposit_id=deposit_id,
            part_id=part_id,
            lock=lock_of(str(value["lock"])),
            epoch=int(value["epoch"]),
            payload_sha256=str(value["payload_sha256"]),
            # Computed, never read: a file must not choose the key.
            key_id=key_id_of(AgreementId(agreement_id)),
            record=base64.b64decode(value["record"], validate=True),
            commitment_salt=str(value["commitment_salt"]),
            commitment=str(value["commitment"]),
            created_at=parse_rfc3339(str(value["created_at"])),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise RecordMalformed from None
