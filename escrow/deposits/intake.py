"""The verbs of the intake: open a deposit, add parts, seal it, receipt it, or abandon it.

The order of effects is the whole point. A lane is opened and parts are sealed and stored first,
which can be repeated or forgotten. Then one transaction makes the deposit: its number (n+1
without gaps), its parts, those carried forward, the event in the ledger and the job that verifies
it. From there on it can only be completed: lasting headers, ledger proof, receipt; each of these
may be repeated, and is, after a crash (:meth:`Intake.complete_unfinished`). Only a completed
deposit is acknowledged.

This is the one module of the room that opens units of work itself: its steps are separate
transactions by design, with calls to another process between them.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from escrow.deposits import records
from escrow.deposits.carrying import carried_forward
from escrow.deposits.client_sealing import (
    agreements_served,
    check_alike,
    check_not_let_go,
    check_own_payload,
    resolve_seal,
    tell_not_served,
)
from escrow.deposits.drafts import (
    ClientSeal,
    OpenDeposit,
    PartDescription,
    SaidSeal,
    SealedDeposit,
    StoredDeposit,
)
from escrow.deposits.errors import (
    DepositBusy,
    DepositEmpty,
    DepositNotOpen,
    DepositUnfinished,
    DepositUnknown,
    NoAgreementInForce,
    PartExists,
    PartInvalid,
)
from escrow.deposits.facts import AgreementTerms, sealed_event
from escrow.deposits.gathering import gathered_facts
from escrow.deposits.products import check_part
from escrow.engine.queue import JobQueue
from escrow.evidence.bundles import sign_statement
from escrow.evidence.receipts import receipt_statement
from escrow.evidence.statements import Stamp
from escrow.evidence.timing.papers import await_timestamps
from escrow.ground.clock import Clock
from escrow.ground.database import Database, Session
from escrow.ground.digests import new_salt, sha256_hex
from escrow.ground.errors import EscrowError, Unavailable
from escrow.ground.identifiers import (
    AgreementId,
    DepositId,
    ProductId,
    RepositoryId,
    TokenId,
    new_id,
)
from escrow.ground.signatures import PublicKey, Signer
from escrow.ledger.appending import Scribe
from escrow.ledger.events import NewEvent, Stream
from escrow.ledger.proofs import proof_of
from escrow.vault.age import parse_recipient, wrap_file_key
from escrow.vault.age_keys import FileKey
from escrow.vault.errors import LaneClosed
from escrow.vault.keyholder import Keyholder
from escrow.vault.lanes import lane_statement
from escrow.vault.sealing import SealedPayload

__all__ = [
    "Intake",
    "OpenDeposit",
    "PartDescription",
    "SealedDeposit",
    "StoredDeposit",
]

# The event in the ledger names every part, and an event has 64 KiB.
MAX_PARTS = 100

# The job that verifies a deposit; defined by the room above.
VERIFY_JOB = "verify"

AgreementsInForce = Callable[[Session, ProductId], Sequence[AgreementTerms]]

_log = logging.getLogger("escrow.deposits.intake")


@dataclass(frozen=True)
class Intake:
    """The intake of one service; every call blocks and may be made from any thread.

    Attributes:
        keyholder: makes lanes and lasting headers, sequences the ledger.
        keyholder_key: the pinned key under which a lane is believed.
        agreements_in_force: the register's answer for a product.
        receipt_signer: the portal's key.
        stamp: of this installation, for receipts.
    """

    database: Database
    clock: Clock
    scribe: Scribe
    jobs: JobQueue
    keyholder: Keyholder
    keyholder_key: PublicKey
    agreements_in_force: AgreementsInForce
    receipt_signer: Signer
    stamp: Stamp

    def check_welcome(self, product_id: ProductId) -> None:
        """Refuse a deposit that would serve nobody.

        Raises:
            NoAgreementInForce: with what has to happen first.
        """
        with self.database.reading() as session:
            self._in_force(session, product_id)

    def open_deposit(
        self,
        product_id: ProductId,
        *,
        via: str,
        token_id: TokenId,
        actor: str,
        repository_id: RepositoryId | None = None,
    ) -> OpenDeposit:
        """Open a deposit and its lane.

        Args:
            via: ``git`` or ``upload``.
            token_id: the credential in use.
            actor: who acts, for the ledger.

        Raises:
            NoAgreementInForce: nobody would be served.
            BadSignature: the lane is not the keyholder's.
            Unavailable: the keyholder does not answer.
        """
        deposit_id = DepositId(new_id("dep"))
        with self.database.writing() as session:
            self._in_force(session, product_id)
            row = records.Deposit(
                id=deposit_id,
                product_id=product_id,
                state="open",
                via=via,
                opened_by=token_id,
                opened_at=self.clock.now(),
                repository_id=repository_id,
            )
            records.add(session, row)
            self._log_event(session, row, "opened", actor)
        try:
            # Outside the transaction: the keyholder writes the same database.
            announced = self.keyholder.open_lane(product_id, deposit_id)
            # Believed only for exactly this deposit: the id that is signed is ours.
            signed = lane_statement(deposit_id, announced.recipient)
            self.keyholder_key.check_signature(announced.signature, signed)
            lane = str(parse_recipient(announced.recipient))
        except EscrowError:
            self.abandon(deposit_id, actor)
            raise
        with self.database.writing() as session:
            records.note_lane(session, deposit_id, lane)
        return OpenDeposit(deposit_id, product_id, lane)

    def resolve_seal(
        self, session: Session, deposit_id: DepositId, said: SaidSeal | None
    ) -> ClientSeal | None:
        """Return what a part is that its vendor says he sealed; None where he says no such thing.

        Raises:
            DepositUnknown: there is none that it could be a part of.
            NoAgreementInForce, AgreementNotNamed, SealingKeyNotCurrent: it can be for none.
        """
        if said is None:
            return None
        row = records.deposit_by_id(session, deposit_id)
        if row is None:
            raise DepositUnknown
        return resolve_seal(session, self._in_force(session, ProductId(row.product_id)), said)

    def check_part_welcome(
        self, session: Session, deposit_id: DepositId, part: PartDescription
    ) -> OpenDeposit:
        """Return the open deposit if it can take the part.

        Raises:
            DepositUnknown, DepositNotOpen: there is none that takes parts.
            PartInvalid, PartExists, SealingsMixed: not this part.
        """
        row = records.deposit_by_id(session, deposit_id)
        if row is None:
            raise DepositUnknown
        if row.state != "open" or row.lane_recipient is None:
            raise DepositNotOpen(
                f"The deposit is {row.state} and takes no more parts.", "Open a new deposit."
            )
        check_part(part.kind, part.name, part.media)
        present = records.parts_of(session, deposit_id)
        if any((one.kind, one.name) == (part.kind, part.name) for one in present):
            raise PartExists(
                f"The deposit already has a part {part.kind}/{part.name}.",
                "Give this part another name, or abandon the deposit and begin anew.",
            )
        check_alike(present, part.seal)
        if len(present) >= MAX_PARTS:
            raise PartInvalid(
                f"A deposit has at most {MAX_PARTS} parts.", "Pack several files into an archive."
            )
        return OpenDeposit(deposit_id, ProductId(row.product_id), row.lane_recipient)

    def add_part(
        self,
        session: Session,
        deposit_id: DepositId,
        part: PartDescription,
        sealed: SealedPayload,
        file_key: FileKey,
        git: Mapping[str, Any] | None = None,
    ) -> None:
        """Add a stored payload to an open deposit; its key goes to the lane alone.

        Raises:
            see :meth:`check_part_welcome`.
        """
        deposit = self.check_part_welcome(session, deposit_id, part)
        row = self._part(deposit, part, sealed)
        row.lane_header = wrap_file_key(file_key, [parse_recipient(deposit.lane_recipient)])
        row.git = dict(git) if git else None
        records.add(session, row)

    def add_client_part(
        self,
        session: Session,
        deposit_id: DepositId,
        part: PartDescription,
        taken: SealedPayload,
        header: bytes,
    ) -> None:
        """Add a stored payload that its vendor sealed, with the header that he made.

        Raises:
            see :meth:`check_part_welcome`.
            PayloadLetGo: these very bytes were shredded before.
        """
        check_not_let_go(session, [taken.payload_sha256])
        check_own_payload(records.parts_of(session, deposit_id), taken.payload_sha256)
        row = self._part(self.check_part_welcome(session, deposit_id, part), part, taken)
        if part.seal is not None:
            row.client_agreement_id, row.client_epoch = part.seal.agreement_id, part.seal.epoch
        row.client_header, row.client_header_sha256 = header, sha256_hex(header)
        records.add(session, row)

    def _part(
        self, deposit: OpenDeposit, part: PartDescription, sealed: SealedPayload
    ) -> records.Part:
        return records.Part(
            id=new_id("prt"),
            deposit_id=deposit.id,
            product_id=deposit.product_id,
            kind=part.kind,
            name=part.name,
            media=part.media,
            size_bytes=sealed.size_bytes,
            sha256=sealed.sha256,
            encoding=sealed.encoding,
            payload_sha256=sealed.payload_sha256,
            payload_size_bytes=sealed.payload_size_bytes,
            as_of=self.clock.now(),
        )

    def finish(self, deposit_id: DepositId, actor: str) -> SealedDeposit:
        """Seal a deposit for good and return it with its receipt; a second time changes nothing.

        Raises:
            DepositUnfinished: sealed and logged; it is completed without the caller.
            Whatever :meth:`seal` raises; then it is not sealed.
        """
        self.seal(deposit_id, actor)
        return self.complete(deposit_id)

    def seal(self, deposit_id: DepositId, actor: str) -> StoredDeposit:
        """Make an open deposit one that counts; from here on it can only be completed.

        Raises:
            DepositUnknown, DepositNotOpen: there is none to seal.
            DepositBusy: an upload is not complete.
            DepositEmpty: nothing new was sent.
            AgreementNotNamed, SealingKeyNotCurrent: it is client-sealed, and for none any more.
            PayloadLetGo: it is client-sealed, and was shredded before under another deposit.
            NoAgreementInForce: the last agreement ended meanwhile.
            Unavailable: the keyholder could not write the lasting headers now; nothing changed.
        """
        self._check_lane(deposit_id)
        with self.database.writing() as session:
            row = records.deposit_by_id(session, deposit_id)
            if row is None:
                raise DepositUnknown
            if row.state == "open":
                self._seal(session, row, actor)
            elif row.state != "sealed":
                raise DepositNotOpen(f"The deposit is {row.state}.", "Open a new deposit.")
            return _stored(row)

    def stored(self, deposit_id: DepositId) -> StoredDeposit:
        """Return a deposit that was sealed, complete or not.

        Raises:
            DepositUnknown: none was.
        """
        with self.database.reading() as session:
            row = records.deposit_by_id(session, deposit_id)
        if row is None:
            raise DepositUnknown
        return _stored(row)

    def complete(self, deposit_id: DepositId) -> SealedDeposit:
        """Have the lasting headers written and the receipt made; repeatable.

        Raises:
            DepositUnfinished: the keyholder is out of reach; nothing is lost.
        """
        with self.database.reading() as session:
            row = records.deposit_by_id(session, deposit_id)
        if row is None:
            raise DepositUnknown
        there = _stored(row)
        receipt = row.receipt_json or self._receipt(row)
        return SealedDeposit(there.id, there.product_id, there.number, there.sealed_at, receipt)

    def complete_unfinished(self) -> int:
        """Complete every sealed deposit without a receipt; return how many still lack one."""
        with self.database.reading() as session:
            rows = records.without_receipt(session)
        left = 0
        for row in rows:
            try:
                self.complete(DepositId(row.id))
            except EscrowError as problem:
                left += 1
                _log.warning("deposit %s is not complete: %s", row.id, problem)
        return left

    def abandon(self, deposit_id: DepositId, actor: str) -> None:
        """Give up an open deposit; its number was never given, so no gap stays.

        Raises:
            DepositUnknown, DepositNotOpen: there is none to give up.
        """
        with self.database.writing() as session:
            row = records.deposit_by_id(session, deposit_id)
            if row is None:
                raise DepositUnknown
            if row.state == "abandoned":
                return
            if row.state != "open":
                raise DepositNotOpen("The deposit is sealed and stays.", "Make a new deposit.")
            row.state = "abandoned"
            records.add(session, row)
            self._log_event(session, row, "abandoned", actor)
        # A lane that nobody closes ends by itself.
        with contextlib.suppress(Unavailable):
            self.keyholder.close_lane(deposit_id)

    def _check_lane(self, deposit_id: DepositId) -> None:
        """Refuse to number a deposit whose headers could not be written a moment later.

        Raises:
            DepositNotOpen: its lane ran out, and with it the keys of its parts.
            Unavailable: the keyholder does not answer.
        """
        with self.database.reading() as session:
            row = records.deposit_by_id(session, deposit_id)
        if row is None or row.state != "open":
            return
        try:
            self.keyholder.open_lane(ProductId(row.product_id), deposit_id)
        except LaneClosed as problem:
            raise DepositNotOpen(
                "The time of this draft is over, and nobody can open what was sent to it.",
                "Begin a new one and send its parts anew; nothing of this one was deposited.",
            ) from problem

    def _in_force(self, session: Session, product_id: ProductId) -> Sequence[AgreementTerms]:
        agreements = self.agreements_in_force(session, product_id)
        if not agreements:
            raise NoAgreementInForce(
                "No agreement is in force for this product, so a deposit would serve nobody.",
                "Every party has to accept it, the agents' ceremony has to be held and the "
                "recipients proven; 'escrow agreement show' says what is missing.",
            )
        return agreements

    def _seal(self, session: Session, row: records.Deposit, actor: str) -> None:
        deposit_id, product_id = DepositId(row.id), ProductId(row.product_id)
        in_force = self._in_force(session, product_id)
        if records.uploads_of(session, deposit_id, "open"):
            raise DepositBusy(
                "A part of this deposit is still on its way.",
                "Complete or delete its upload, then finish the deposit.",
            )
        sent = records.parts_of(session, deposit_id)
        if not sent:
            raise DepositEmpty("Nothing was sent with this deposit.", "Add a part first.")
        agreements = agreements_served(session, in_force, sent)
        check_not_let_go(session, [one.payload_sha256 for one in sent])
        previous = records.newest_sealed(session, product_id)
        if previous is not None:
            earlier = records.parts_of(session, DepositId(previous.id))
            records.add(session, *carried_forward(deposit_id, sent, earlier))
        row.number = records.last_number(session, product_id) + 1
        row.state, row.sealed_at, row.salt = "sealed", self.clock.now(), new_salt()
        not_served = tuple(one.agreement_id for one in in_force if one not in agreements)
        self._log_sealed(session, row, agreements, not_served, actor)
        tell_not_served(session, self.scribe, deposit_id, not_served, self.clock.now())
        records.add(session, row)
        self.jobs.enqueue(
            session,
            VERIFY_JOB,
            f"{VERIFY_JOB}-{deposit_id}",
            {"deposit_id": deposit_id},
            partition=product_id,
        )

    def _log_sealed(
        self,
        session: Session,
        row: records.Deposit,
        agreements: Sequence[AgreementTerms],
        not_served: tuple[AgreementId, ...],
        actor: str,
    ) -> None:
        """The statement is fixed before it is signed: the event holds its digest."""
        facts = gathered_facts(session, row, agreements, not_served, self.clock.now())
        row.receipt_statement = receipt_statement(self.stamp, facts, row.salt)
        digest = sha256_hex(row.receipt_statement)
        entry = self.scribe.append(session, sealed_event(facts, row.salt, digest, actor))
        row.ledger_entry_sha256 = entry.entry_sha256

    def _receipt(self, row: records.Deposit) -> str:
        deposit_id = DepositId(row.id)
        try:
            self.keyholder.seal_lasting_headers(deposit_id)
            self.keyholder.sequence()
        except Unavailable as problem:
            raise _unfinished(row) from problem
        with self.database.reading() as session:
            proof = proof_of(session, row.ledger_entry_sha256 or "")
        if proof is None or row.receipt_statement is None:
            raise _unfinished(row)
        document = sign_statement(row.receipt_statement, self.receipt_signer).with_proof(proof)
        receipt = document.to_json()
        with self.database.writing() as session:
            records.forget_client_headers(session, deposit_id)
            records.note_receipt(session, deposit_id, receipt)
            await_timestamps(session, document, self.clock.now())
        return receipt

    def _log_event(self, session: Session, row: records.Deposit, action: str, actor: str) -> None:
        self.scribe.append(
            session,
            NewEvent(
                Stream("product", row.product_id),
                f"deposits:deposit:{action}",
                actor,
                {"deposit_id": row.id, "via": row.via},
            ),
        )


def _stored(row: records.Deposit) -> StoredDeposit:
    if row.state != "sealed" or row.number is None or row.sealed_at is None:
        raise DepositUnknown
    return StoredDeposit(DepositId(row.id), ProductId(row.product_id), row.number, row.sealed_at)


def _unfinished(row: records.Deposit) -> DepositUnfinished:
    return DepositUnfinished(
        f"Deposit {row.number} is stored and logged; its receipt waits for the keyholder.",
        "Nothing is lost and there is no need to send it again: the receipt follows by itself.",
        _stored(row),
    )
