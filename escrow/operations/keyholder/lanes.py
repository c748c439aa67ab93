"""Lanes, lasting headers, openings: what the keyholder does for a deposit until its verdict.

It holds a job for a hint. Before it writes a header or opens one it looks for the portal's entry
in the signed tree and compares the stored parts with what that entry says of them; before it gives
out a key it compares the commitments with those of its own entry.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from escrow.custody import records as custody
from escrow.deposits import records as deposits
from escrow.ground.database import Session
from escrow.ground.digests import Sha256Hex, sha256_hex
from escrow.ground.identifiers import DepositId, PartId, ProductId
from escrow.ledger.appending import Entry
from escrow.ledger.chains import ProvenChain
from escrow.ledger.events import NewEvent, Stream
from escrow.operations.keyholder.continuity import keep_copies
from escrow.operations.keyholder.disk import KEYHOLDER
from escrow.operations.keyholder.evidence_of_release import proven_stream
from escrow.operations.keyholder.grounds import Grounds, NoSuchThing, NotInLedger
from escrow.operations.keyholder.not_opening import KEY_CHANGED, note_not_opening
from escrow.operations.keyholder.reopened_keys import sealed_keys_of
from escrow.operations.keyholder.texts import dealt_under_a_text, keys_to_seal_to, read_texts
from escrow.register.governing import IN_FORCE, Texts
from escrow.register.inforce import AgreementInForce, agreements_in_force
from escrow.vault import lane_keeping, records
from escrow.vault.errors import LaneMissing, LaneNeeded
from escrow.vault.lasting_headers import (
    AgreementLocks,
    ClientSealedPart,
    StoredPart,
    WrittenHeader,
    open_file_keys,
    write_client_headers,
    write_lasting_headers,
)
from escrow.vault.permits import Permit, Purpose

SEALED = "deposits:deposit:sealed"
HEADERS_WRITTEN = "vault:deposit:headers-written"
LANE_USED = "vault:lane:used"
LANE_CLOSED = "vault:lane:closed"

# A deposit not verified by then is opened by nobody but its agents.
LANE_LIFETIME = timedelta(hours=72)

# Headers that were written late leave the verification, which waited for them, at least a day: as
# long as the longest that a deposit waits its turn.
LATE_LIFETIME = timedelta(hours=24)

# The portal looks at the lane, then seals the deposit: a transaction, with a wait for the
# database's one writer before it. A lane whose time ends in between is not destroyed under it.
SEALING_MARGIN = timedelta(minutes=10)

# Between the log entry and the sealing of the keys lie milliseconds.
PERMIT_LIFETIME = timedelta(minutes=5)


class Lanes:
    """The keyholder's dealings with deposits."""

    def __init__(self, grounds: Grounds) -> None:
        self._on = grounds

    def open_lane(self, product_id: str, deposit_id: str) -> dict[str, str]:
        """Return the deposit's lane, made the first time, signed for this deposit."""
        on = self._on
        with on.database.writing() as session:
            announced = lane_keeping.open_lane(
                session,
                on.keys,
                on.role_key,
                ProductId(product_id),
                DepositId(deposit_id),
                on.clock.now(),
                LANE_LIFETIME,
            )
        signature = base64.b64encode(announced.signature).decode()
        return {"recipient": announced.recipient, "signature": signature}

    def seal_lasting_headers(self, deposit_id: str) -> None:
        """Write Lock A and Lock B of a sealed deposit, once, and log the commitments."""
        on, identifier = self._on, DepositId(deposit_id)
        on.sequence()
        with on.database.writing() as session:
            # Others write all the time: nothing may stand behind the heads that are read here.
            on.sequencer.sequence(session)
            lane = records.lane_of(session, identifier)
            if lane is not None and lane.headers_entry_sha256 is not None:
                self._check_logged(session, identifier)
                return
            proven = self._proven_deposit(session, identifier)
            if lane is None:
                raise LaneMissing(f"There is no lane of {deposit_id}.", "Open the deposit first.")
            if records.header_records_of(session, identifier):
                # Ours are written together with their entry, so these are somebody else's.
                raise _not_logged(deposit_id)
            written = self._written(session, identifier, proven)
            data = {
                "deposit_id": deposit_id,
                "headers": [described(one) for one in written],
            }
            entry = self._write(session, proven.product_id, HEADERS_WRITTEN, data)
            # Before the acknowledgement, like the headers: what is promised is also continued.
            keep_copies(on, session, records.header_records_of(session, identifier))
            closes_at = max(lane.closes_at, on.clock.now() + LATE_LIFETIME)
            records.note_headers_entry(session, lane, entry.entry_sha256, closes_at)

    def open_for_verification(self, deposit_id: str, asker: str) -> dict[str, str]:
        """Return the file keys sealed to the pinned worker that asks, once the opening is logged.

        Args:
            asker: whoever asks, as the carrier of the call knows it.

        Raises:
            WorkerNotPinned: a worker that nobody pinned.
            LaneMissing, LaneClosed: only the agents open it any more, or nobody.
            NotInLedger, ProofFails: rows are not what the ledger says.
        """
        on, identifier = self._on, DepositId(deposit_id)
        recipient = on.recipient_of(asker)
        with on.database.reading() as session:
            # Opened by k agents for one more verification, logged then, sealed to the workers.
            reopened = sealed_keys_of(on, session, identifier)
        if reopened is not None:
            return {"sealed": base64.b64encode(reopened).decode()}
        with on.database.writing() as session:
            # First: what was let go has no headers any more, and that is nobody's forgery.
            lane_keeping.check_open(session, identifier, on.clock.now())
            proven = self._proven_deposit(session, identifier)
            self._check_logged(session, identifier)
            worker = sha256_hex(recipient.encode())
            data = {"deposit_id": deposit_id, "recipient_sha256": worker}
            entry = self._write(session, proven.product_id, LANE_USED, data)
        # The entry is committed: from here on the opening is known, whatever happens next.
        on.sequence()
        now = on.clock.now()
        permit = Permit(
            purpose=Purpose.VERIFICATION,
            deposit_id=identifier,
            agreement_id=None,
            recipient=recipient,
            logged_as=entry.entry_sha256,
            expires_at=now + PERMIT_LIFETIME,
        )
        with on.database.reading() as session:
            # Of what its vendor sealed there is no key that could be given out.
            sealed = open_file_keys(session, on.keys, permit, identifier, proven.parts, now)
        return {"sealed": base64.b64encode(sealed).decode()}

    def close_lane(self, deposit_id: str) -> None:
        """Destroy a lane for ever; a second time changes nothing.

        Raises:
            LaneNeeded: the deposit is sealed, and its lasting headers are not written.
        """
        identifier = DepositId(deposit_id)
        with self._on.database.writing() as session:
            check_not_needed(session, identifier)
            self.close_for_good(session, identifier)

    def close_for_good(self, session: Session, deposit_id: DepositId) -> None:
        """Destroy a deposit's lane, needed or not, and what k agents opened of it since.

        In the caller's transaction: what is let go is let go together with its ways in.
        """
        self._close(session, deposit_id)
        custody.close_reopenings(session, custody.reopenings_of(session, deposit_id))

    def close_overdue(self) -> None:
        """Destroy the lanes that no verdict closed in time, but none that is still needed."""
        now = self._on.clock.now()
        with self._on.database.writing() as session:
            for row in records.lanes_overdue(session, now):
                is_written = row.headers_entry_sha256 is not None
                may_be_sealing = not is_written and now < row.closes_at + SEALING_MARGIN
                if not may_be_sealing and not _is_needed(session, row):
                    self._close(session, DepositId(row.deposit_id))

    def _written(
        self, session: Session, deposit_id: DepositId, proven: _ProvenDeposit
    ) -> tuple[WrittenHeader, ...]:
        on, product_id = self._on, proven.product_id
        promised = self._promised(session, proven)
        if not proven.client_sealed:
            locks = [lock for one in promised for lock in self._locks_of(session, one)]
            return write_lasting_headers(
                session, on.keys, product_id, deposit_id, proven.parts, locks, on.clock.now()
            )
        parts, [agreement] = proven.client_sealed, promised
        _check_headers_there(parts)
        named = self._named_locks(session, agreement, deposit_id, parts)
        return write_client_headers(
            session, on.keys, product_id, deposit_id, parts, named, on.clock.now()
        )

    def _proven_deposit(self, session: Session, deposit_id: DepositId) -> _ProvenDeposit:
        """Return product, parts that were sent, and agreements, as the signed tree has them.

        Raises:
            NoSuchThing: no sealed deposit of this id.
            NotInLedger: its parts are not those of the portal's entry.
        """
        deposit = deposits.deposit_by_id(session, deposit_id)
        if deposit is None or deposit.number is None:
            raise NoSuchThing(f"There is no sealed deposit {deposit_id}.", "Check the id.")
        event = self._on.proven_event(session, deposit.ledger_entry_sha256, SEALED, "portal")
        rows = deposits.parts_of(session, deposit_id)
        stored = {(row.id, row.payload_sha256, _seal_of(row)) for row in rows}
        of_product = event.stream == Stream("product", deposit.product_id)
        if not of_product or _sealed(event.data, deposit_id) != stored:
            raise NotInLedger(
                f"The parts of {deposit_id} are not those that the ledger names.",
                "Nothing was opened; the operator has to compare database and ledger.",
            )
        sent = [row for row in rows if row.carried_from is None]
        return _ProvenDeposit(
            ProductId(deposit.product_id),
            [
                StoredPart(PartId(row.id), Sha256Hex(row.payload_sha256), row.lane_header)
                for row in sent
                if row.client_agreement_id is None
            ],
            [_client_sealed(row) for row in sent if row.client_agreement_id is not None],
            _agreements(event.data),
            {row.client_agreement_id for row in sent},
        )

    def _promised(self, session: Session, proven: _ProvenDeposit) -> list[AgreementInForce]:
        """Return the agreements that the receipt promises.

        Raises:
            NotInLedger: one of them is not in force any more, or they are more than the one that
                the vendor sealed for.
        """
        promised = proven.agreements
        in_force = agreements_in_force(session, proven.product_id)
        found = {str(one.agreement_id): one for one in in_force}
        if proven.client_sealed and proven.sealed_for != promised:
            raise NotInLedger(
                "A client-sealed deposit is said to serve others than it was sealed for.",
                "Nothing was acknowledged; the operator has to compare database and ledger.",
            )
        if not promised or not promised <= found.keys():
            raise NotInLedger(
                "An agreement that the deposit was made for is not in force.",
                "Nothing was acknowledged; the operator has to compare database and ledger.",
            )
        return [found[one] for one in sorted(promised)]

    def _locks_of(self, session: Session, agreement: AgreementInForce) -> list[AgreementLocks]:
        """Return the lock of the epoch that counts, and of one that waits for its canary.

        The second, so that a deposit of the days in between opens to the agents' new shares too;
        neither to anybody whom no accepted text names.

        Raises:
            NotInLedger, AgreementTextTampered, HeadBehind: the row's text is not in force, or no
                key of its agents counts.
        """
        chain, texts = self._texts_of(session, agreement)
        return [_lock(agreement, epoch) for epoch in keys_to_seal_to(session, chain, texts)]

    def _named_locks(
        self,
        session: Session,
        agreement: AgreementInForce,
        deposit_id: DepositId,
        parts: Sequence[ClientSealedPart],
    ) -> dict[int, AgreementLocks]:
        """Return the lock of each epoch that a vendor named who sealed a deposit himself.

        One that is not current any more serves as well, since the deposit has its number; its
        parts are logged as not opening.

        Raises:
            NotInLedger, AgreementTextTampered, HeadBehind: as :meth:`_locks_of`; or he named a key
                that was dealt to nobody whom a text in force has named.
        """
        chain, texts = self._texts_of(session, agreement)
        current = keys_to_seal_to(session, chain, texts)
        named = {
            number: dealt_under_a_text(session, chain, texts, number)
            for number in {one.epoch for one in parts}
        }
        open_ones = {one.epoch for one in current if one.burnt_at is None}
        stranded = [
            (deposit_id, one.part_id, one.epoch) for one in parts if one.epoch not in open_ones
        ]
        # Acknowledged all the same: it was received, and says so; that it opens it never said.
        note_not_opening(self._on, session, agreement.agreement_id, stranded, KEY_CHANGED)
        return {number: _lock(agreement, epoch) for number, epoch in named.items()}

    def _texts_of(self, session: Session, agreement: AgreementInForce) -> tuple[ProvenChain, Texts]:
        """Return the proven stream of an agreement whose text in force is the row's."""
        stream = Stream("agreement", agreement.agreement_id)
        chain = proven_stream(self._on, session, stream)
        self._on.heads.check_reaches(stream, chain)
        texts = read_texts(session, agreement.agreement_id, chain)
        text = (agreement.version, agreement.text_sha256)
        if texts.last is None or texts.last.text != text:
            raise NotInLedger(
                f"The ledger bears out no {IN_FORCE} of the text that a row calls so.",
                "Nothing was acknowledged; the operator has to compare database and ledger.",
            )
        return chain, texts

    def _check_logged(self, session: Session, deposit_id: DepositId) -> None:
        """Return when every stored commitment is one that the keyholder itself logged.

        Raises:
            LaneMissing: the lasting headers are not written yet.
            NotInLedger: a row was exchanged.
        """
        rows = records.header_records_of(session, deposit_id)
        lane = records.lane_of(session, deposit_id)
        if lane is None or lane.headers_entry_sha256 is None:
            raise LaneMissing(
                f"{deposit_id} has no lasting headers yet.", "Wait; they are written at once."
            )
        entry = lane.headers_entry_sha256
        event = self._on.proven_event(session, entry, HEADERS_WRITTEN, KEYHOLDER)
        logged = event.data["headers"]
        stored = [described(row) for row in rows]
        # A release seals to a later epoch as well; what was logged here is still there.
        is_whole = isinstance(logged, list) and all(one in stored for one in logged)
        if event.data["deposit_id"] != deposit_id or not is_whole:
            raise _not_logged(deposit_id)

    def _close(self, session: Session, deposit_id: DepositId) -> None:
        on = self._on
        row = records.lane_of(session, deposit_id)
        if row is not None and lane_keeping.close_lane(
            session, on.keys, deposit_id, on.clock.now()
        ):
            data = {"deposit_id": deposit_id}
            self._write(session, ProductId(row.product_id), LANE_CLOSED, data)

    def _write(
        self, session: Session, product_id: ProductId, kind: str, data: Mapping[str, object]
    ) -> Entry:
        event = NewEvent(Stream("product", product_id), kind, KEYHOLDER, data)
        return self._on.scribe.append(session, event)


def check_not_needed(session: Session, deposit_id: DepositId) -> None:
    """Return when a deposit's lane may go, because its parts open without it.

    Raises:
        LaneNeeded: the deposit is sealed, and its lasting headers are not written.
    """
    lane = records.lane_of(session, deposit_id)
    if lane is not None and _is_needed(session, lane):
        raise LaneNeeded(
            f"The lane of {deposit_id} is the only way to its parts.",
            "Have its lasting headers written first; nothing was closed.",
        )


@dataclass(frozen=True)
class _ProvenDeposit:
    """A sealed deposit as the signed tree has it.

    Args:
        parts, client_sealed: that were sent, by who sealed them.
        agreements: that the receipt promises.
        sealed_for: the agreement of each part, None where the service sealed it.
    """

    product_id: ProductId
    parts: list[StoredPart]
    client_sealed: list[ClientSealedPart]
    agreements: set[str]
    sealed_for: set[str | None]


def _lock(agreement: AgreementInForce, epoch: records.SealingEpochRow) -> AgreementLocks:
    return AgreementLocks(agreement.agreement_id, epoch.epoch, epoch.recipient, agreement.custody)


def _is_needed(session: Session, lane: records.LaneRow) -> bool:
    """Return whether the lane is the only way to the parts of a deposit that counts.

    Decided by the deposit's row, without the ledger's proof: a lane that is kept too long opens
    nothing by itself, since headers and openings are proven each time; one that is destroyed too
    early takes an acknowledged or promised deposit with it.
    """
    if lane.headers_entry_sha256 is not None:
        return False
    deposit = deposits.deposit_by_id(session, DepositId(lane.deposit_id))
    return deposit is not None and deposit.number is not None


_Seal = tuple[object, ...] | None


def _sealed(data: Mapping[str, object], deposit_id: DepositId) -> set[tuple[str, str, _Seal]]:
    """Return part ids, payload digests and vendors' seals as a sealed entry names them."""
    parts = data["parts"]
    if data["deposit_id"] != deposit_id or not isinstance(parts, Sequence):
        return set()
    return {
        (part["part_id"], part["payload_sha256"], _seal_in(part.get("client_sealed")))
        for part in parts
    }


def _seal_in(seal: Mapping[str, object] | None) -> _Seal:
    names = ("agreement_id", "epoch", "header_sha256")
    return tuple(seal[name] for name in names) if seal else None


def _seal_of(row: deposits.Part) -> _Seal:
    if row.client_agreement_id is None:
        return None
    return row.client_agreement_id, row.client_epoch, row.client_header_sha256


def _client_sealed(row: deposits.Part) -> ClientSealedPart:
    digest = Sha256Hex(row.payload_sha256)
    header = row.client_header or b""
    # Emptied once it lies under Lock B; until then it is the one that the ledger names.
    if header and sha256_hex(header) != row.client_header_sha256:
        raise NotInLedger(
            f"The header of part {row.id} is not the one that its vendor sent.",
            "Nothing was acknowledged; the operator has to compare database and ledger.",
        )
    return ClientSealedPart(PartId(row.id), digest, row.client_epoch or 0, header)


def _check_headers_there(parts: Sequence[ClientSealedPart]) -> None:
    """Return when no part's header is missing: there is no other copy of it here.

    Raises:
        NotInLedger: somebody emptied one.
    """
    for part in parts:
        if not part.header:
            raise NotInLedger(
                f"The header of part {part.part_id}, which its vendor sent, is gone.",
                "Nothing was acknowledged; bring the row back, or have the vendor send it anew.",
            )


def _agreements(data: Mapping[str, object]) -> set[str]:
    """Return the ids of the agreements that a sealed entry promises to serve."""
    named = data["agreements"]
    return {str(one[0]) for one in named} if isinstance(named, Sequence) else set()


def _not_logged(deposit_id: str) -> NotInLedger:
    return NotInLedger(
        f"The commitments of {deposit_id} are not those that were logged.",
        "Nothing was opened; the operator has to compare database and ledger.",
    )


def described(header: WrittenHeader | records.HeaderRecordRow) -> dict[str, object]:
    """Return a header as the ledger's events name it."""
    return {
        "agreement_id": header.agreement_id,
        "part_id": header.part_id,
        "lock": header.lock,
        "epoch": header.epoch,
        "commitment": header.commitment,
    }
