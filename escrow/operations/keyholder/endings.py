"""Endings: what the keyholder shreds and destroys, from the ledger alone.

It is told an id and nothing else. Holds, requests, services, words and deposits are believed only
from proven chains that reach as far as this keyholder has seen them, so a row that is deleted or
written by hand ends nothing and lifts nothing. An intent is committed before each effect; what was
intended is carried out, whatever comes after, and every call can be repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from escrow.deposits import records as deposits
from escrow.endings import records
from escrow.endings.errors import BackupHorizonUnknown, EndingUnknown, RetentionKeeps
from escrow.endings.folding import Ending
from escrow.endings.reading import EventsOf, product_id_of, product_of, sight_of
from escrow.endings.rules import (
    DEPOSIT_INTENDED,
    DEPOSIT_SHREDDED,
    Product,
    Sight,
    check_nothing_stands,
    check_withdrawable,
    decide_destruction,
    droppable,
    grace_ends_at,
    parts_of_payloads,
    payloads_to_shred,
    served,
)
from escrow.endings.states import EVENT, State, Step
from escrow.evidence.bundles import sign_statement
from escrow.evidence.destruction_certificates import (
    DestroyedKey,
    DestructionFacts,
    destruction_statement,
)
from escrow.evidence.statements import STATEMENT_FIELD
from escrow.evidence.timing.papers import await_timestamps
from escrow.ground.clock import rfc3339
from escrow.ground.database import Session
from escrow.ground.identifiers import AgreementId, DepositId, ProductId
from escrow.ledger.chains import ChainedEvent
from escrow.ledger.events import NewEvent, Stream
from escrow.operations.keyholder.disk import KEYHOLDER
from escrow.operations.keyholder.evidence_of_release import begin_proving, proven_stream
from escrow.operations.keyholder.grounds import Grounds, NotInLedger
from escrow.operations.keyholder.lanes import Lanes, check_not_needed
from escrow.operations.keyholder.rights import check_witnessed, rights_now
from escrow.register import records as register
from escrow.vault.errors import KeyStillThere
from escrow.vault.lasting_headers import key_id_of
from escrow.vault.shreds import records as shreds

RETENTION = "retention"
SHREDDED = "shredded"

# An event holds 64 KiB; a deposit of more parts than this is logged by their number alone.
_PAYLOADS_IN_EVENT = 500


class Endings:
    """The keyholder's dealings with what ends.

    Args:
        grounds: of the keyholder.
        backup_horizon_days: how long backups live; without it nothing is destroyed.
    """

    def __init__(self, grounds: Grounds, backup_horizon_days: int | None) -> None:
        self._on = grounds
        self._horizon_days = backup_horizon_days

    def shred_deposit(self, deposit_id: str) -> None:
        """Shred a deposit whose withdrawal or retention is due; a second time changes nothing.

        Raises:
            EndingTooEarly, HoldStands, RequestOpen, LastBuildable, RetentionKeeps: not now.
            LaneNeeded: its lasting headers are not written yet.
            NotWitnessed: no quorum of witnesses has seen the intent yet.
            RolledBack, OtherHistory, HeadBehind, ChainBroken, NotInLedger, EndingHistoryBroken:
                ledger and database disagree, with each other or with what outsiders have seen.
        """
        on = self._on
        on.sequence()
        with on.database.writing() as session:
            product_id, product = self._product(session, deposit_id)
            if deposit_id in product.gone:
                return
            if deposit_id not in product.intended:
                self._intend_shredding(session, product_id, product, deposit_id)
        # The intent is committed: from here on it is known, whatever happens next.
        on.sequence()
        with on.database.writing() as session:
            product_id, product = self._product(session, deposit_id)
            if deposit_id not in product.gone:
                check_not_needed(session, DepositId(deposit_id))
                check_witnessed(on, session, self._intent_of(session, product_id, deposit_id))
                self._shred(session, product_id, product, deposit_id)
        on.sequence()

    def destroy_agreement(self, ending_id: str) -> None:
        """Decide a destruction, write the intent, destroy the key, and certify it.

        Raises:
            EndingStepNotPossible, AgreementChanged, BeneficiaryNotServed, EndingTooEarly,
            HoldStands, RequestOpen, TooFewWords, BackupHorizonUnknown: not now.
            KeyStillThere: the key manager does not destroy it.
            NotWitnessed: no quorum of witnesses has seen the intent yet.
            RolledBack, OtherHistory, HeadBehind, ChainBroken, NotInLedger, EndingHistoryBroken:
                ledger and database disagree, with each other or with what outsiders have seen.
        """
        on = self._on
        on.sequence()
        with on.database.writing() as session:
            sight, events, ending = self._destruction(session, ending_id)
            if ending.state not in (State.DESTROYING, State.DESTROYED):
                self._intend_destruction(session, sight, events, ending)
        on.sequence()
        with on.database.writing() as session:
            sight, _, ending = self._destruction(session, ending_id)
            intent = ending.mark(Step.INTEND)
            if ending.state is not State.DESTROYED and intent is not None:
                check_witnessed(on, session, intent.entry_sha256)
                self._destroy(session, sight, ending)
        on.sequence()

    # --- one deposit --------------------------------------------------------------------------

    def _product(self, session: Session, deposit_id: str) -> tuple[ProductId, Product]:
        product_id = product_id_of(session, deposit_id)
        product = product_of(session, product_id, self._proven(session))
        if deposit_id not in product.sealings:
            raise NotInLedger(
                f"The ledger bears out no sealing of {deposit_id}.",
                "Nothing was shredded; the operator has to compare database and ledger.",
            )
        return product_id, product

    def _intent_of(self, session: Session, product_id: ProductId, deposit_id: str) -> str:
        """Return the entry of a deposit's first intent, as the proven stream has it."""
        for one in self._proven(session)(Stream("product", product_id)):
            event = one.event
            is_intent = (event.type, event.role) == (DEPOSIT_INTENDED, KEYHOLDER)
            if is_intent and event.data["deposit_id"] == deposit_id:
                return one.entry_sha256
        raise NotInLedger(f"Nothing intends to shred {deposit_id}.", "Nothing was shredded.")

    def _intend_shredding(
        self, session: Session, product_id: ProductId, product: Product, deposit_id: str
    ) -> None:
        cause = RETENTION
        now = self._rights(session, [one.agreement_id for one in product.serving(deposit_id)])
        found = product.withdrawal_of(deposit_id)
        if found is not None:
            ending, cause = check_withdrawable(product, deposit_id, now), found[1].id
            self._log(session, found[0].agreement_id, Step.INTEND_SHREDDING, ending.id)
        elif deposit_id in droppable(product, now):
            check_nothing_stands(product.serving(deposit_id))
        else:
            raise RetentionKeeps
        data = {"deposit_id": deposit_id, "cause": cause}
        event = NewEvent(Stream("product", product_id), DEPOSIT_INTENDED, KEYHOLDER, data)
        self._on.scribe.append(session, event)

    def _shred(
        self, session: Session, product_id: ProductId, product: Product, deposit_id: str
    ) -> None:
        found = product.withdrawal_of(deposit_id)
        if found is not None and found[1].state is not State.SHREDDING:
            # It came after the intent of retention: the intent is carried out, not this one.
            found = None
        payloads = payloads_to_shred(product, deposit_id)
        # Of this product alone: a portal may log a deposit that names another product's payload.
        headers = shreds.delete_headers_of_payloads(session, product_id, payloads)
        if self._on.continuity is not None:
            self._on.continuity.forget_payloads(payloads, product.sealings)
        cause = found[1].id if found else deposit_id
        documents = self._let_go(session, product_id, deposit_id, payloads, cause)
        data: dict[str, object] = {
            "deposit_id": deposit_id,
            "cause": found[1].id if found else RETENTION,
            "header_records": headers,
            "documents": documents,
            "payloads": payloads[:_PAYLOADS_IN_EVENT],
            "parts": parts_of_payloads(product, payloads)[:_PAYLOADS_IN_EVENT],
        }
        event = NewEvent(Stream("product", product_id), DEPOSIT_SHREDDED, KEYHOLDER, data)
        self._on.scribe.append(session, event)
        if found is not None:
            self._log(session, found[0].agreement_id, Step.SHRED, found[1].id)

    def _let_go(
        self,
        session: Session,
        product_id: ProductId,
        deposit_id: str,
        payloads: Sequence[str],
        cause: str,
    ) -> int:
        """Close every way into a deposit, list what nobody opens any more, and note the state."""
        Lanes(self._on).close_for_good(session, DepositId(deposit_id))
        documents = shreds.delete_documents_of(session, DepositId(deposit_id))
        candidates = {*payloads, *documents}
        unheaded = candidates - shreds.still_headed(session, candidates)
        shreds.doom(session, unheaded, cause, product_id, self._on.clock.now())
        row = deposits.deposit_by_id(session, DepositId(deposit_id))
        if row is not None:
            row.state = SHREDDED
            deposits.add(session, row)
        return len(documents)

    # --- an agreement -------------------------------------------------------------------------

    def _destruction(
        self, session: Session, ending_id: str
    ) -> tuple[Sight, Sequence[ChainedEvent], Ending]:
        row = records.ending_by_id(session, ending_id)
        if row is None:
            raise EndingUnknown
        agreement_id = AgreementId(row.agreement_id)
        events = self._proven(session)(Stream("agreement", agreement_id))
        sight = sight_of(session, agreement_id, events)
        if ending_id not in sight.endings:
            raise EndingUnknown
        return sight, events, sight.endings[ending_id]

    def _intend_destruction(
        self,
        session: Session,
        sight: Sight,
        events: Sequence[ChainedEvent],
        ending: Ending,
    ) -> None:
        now = rights_now(self._on, session, tuple(events)).at
        words = decide_destruction(ending, sight, events, now)
        if self._horizon_days is None:
            raise BackupHorizonUnknown
        self._log(
            session,
            sight.agreement_id,
            Step.INTEND,
            ending.id,
            head=events[-1].entry_sha256,
            confirmations=[one.act.sha256 for one in words],
            key_versions=self._key_versions(sight.agreement_id),
        )

    def _destroy(self, session: Session, sight: Sight, ending: Ending) -> None:
        on, now = self._on, self._on.clock.now()
        key = self._destroy_key(sight.agreement_id, ending, now)
        if on.continuity is not None:
            # What opens without the key must not outlive it.
            on.continuity.forget_agreement(sight.agreement_id)
        payloads = shreds.payloads_of_agreement(session, sight.agreement_id)
        headers = shreds.delete_headers_of_agreement(session, sight.agreement_id)
        for product_id in sorted(set(payloads.values())):
            self._shred_unserved(session, ProductId(product_id), sight.agreement_id, ending)
        still = shreds.still_headed(session, payloads)
        for payload, product_id in payloads.items():
            if payload not in still:
                shreds.doom(session, [payload], ending.id, product_id, now)
        facts = self._facts(sight, ending, key, headers, set(payloads), still)
        signed = sign_statement(destruction_statement(on.stamp, facts), on.role_key)
        entry = self._log(
            session,
            sight.agreement_id,
            Step.EXECUTE,
            ending.id,
            **{STATEMENT_FIELD: signed.statement_sha256, "header_records": headers},
        )
        records.add(
            session,
            records.DestructionCertificateRow(
                ending_id=ending.id,
                statement_sha256=signed.statement_sha256,
                document=signed.to_json(),
                entry_sha256=entry,
                signed_at=now,
            ),
        )
        await_timestamps(session, signed, now)
        ended = register.AgreementEndRow(
            agreement_id=sight.agreement_id, ending_id=ending.id, ended_at=now
        )
        register.add(session, ended)

    def _key_versions(self, agreement_id: AgreementId) -> list[list[object]]:
        """Return what the key manager says of the key while it is there, for the intent to keep."""
        account = self._on.keys.account_of(key_id_of(agreement_id))
        return [
            [number, rfc3339(made_at) if made_at else None]
            for number, made_at in sorted(account.versions.items())
        ]

    def _destroy_key(
        self, agreement_id: AgreementId, ending: Ending, now: datetime
    ) -> DestroyedKey:
        """Destroy the key-encryption key, and return what the key manager says then.

        Before the rows go: a crash in between leaves records that nothing opens, and is taken up
        again. Its id is computed, not read: a row must not choose what is destroyed.
        """
        key_id, keys = key_id_of(agreement_id), self._on.keys
        if keys.has_key(key_id):
            keys.destroy_key(key_id)
        after, intent = keys.account_of(key_id), ending.mark(Step.INTEND)
        if after.versions:
            raise KeyStillThere(after.answer)
        versions = [] if intent is None else intent.data.get("key_versions", [])
        return DestroyedKey(key_id, now, after.manager, versions, after.answer)

    def _shred_unserved(
        self, session: Session, product_id: ProductId, agreement_id: AgreementId, ending: Ending
    ) -> None:
        """Let go of the deposits that no other agreement is served by."""
        product = product_of(session, product_id, self._proven(session))
        for deposit_id in product.sealings:
            others = [
                one for one in product.serving(deposit_id) if one.agreement_id != agreement_id
            ]
            if others or deposit_id in product.gone:
                continue
            self._let_go(session, product_id, deposit_id, (), ending.id)
            data = {"deposit_id": deposit_id, "cause": ending.id}
            event = NewEvent(Stream("product", product_id), DEPOSIT_SHREDDED, KEYHOLDER, data)
            self._on.scribe.append(session, event)

    def _facts(
        self,
        sight: Sight,
        ending: Ending,
        key: DestroyedKey,
        headers: int,
        payloads: set[str],
        still: set[str],
    ) -> DestructionFacts:
        terms, intent = sight.terms, ending.mark(Step.INTEND)
        shown = {name: one.act.sha256 for name, (_, one) in served(ending, terms).items()}
        return DestructionFacts(
            agreement_id=sight.agreement_id,
            version=sight.version,
            text_sha256=terms.text_sha256,
            ending_id=ending.id,
            request_act_sha256=ending.opening.act.sha256,
            served=sorted(shown.items()),
            grace_ended_at=grace_ends_at(ending, terms),
            k=terms.sealing.k,
            n=len(terms.agents),
            confirmations=[] if intent is None else list(intent.data["confirmations"]),
            keys=[key],
            header_records=headers,
            payloads=sorted(payloads - still),
            still_served=sorted(still),
            intended_at=self._on.clock.now() if intent is None else intent.at,
            destroyed_at=self._on.clock.now(),
            backup_horizon_days=self._horizon_days or 0,
        )

    # --- the ledger ---------------------------------------------------------------------------

    def _rights(self, session: Session, agreements: Sequence[AgreementId]) -> datetime:
        """Return the time by which somebody may lose a deposit: the smallest of all clocks."""
        read = self._proven(session)
        streams = [tuple(read(Stream("agreement", one))) for one in agreements]
        times = [rights_now(self._on, session, events).at for events in streams]
        return min([self._on.clock.now(), *times])

    def _proven(self, session: Session) -> EventsOf:
        """Return the reader of proven streams, which reach as far as this keyholder has seen."""
        begin_proving(self._on, session)

        def read(stream: Stream) -> Sequence[ChainedEvent]:
            chain = proven_stream(self._on, session, stream)
            self._on.heads.check_reaches(stream, chain)
            return chain.events

        return read

    def _log(
        self,
        session: Session,
        agreement_id: AgreementId,
        step: Step,
        ending_id: str,
        **more: object,
    ) -> str:
        data = {"ending_id": ending_id, "at": rfc3339(self._on.clock.now()), **more}
        event = NewEvent(Stream("agreement", agreement_id), EVENT[step], KEYHOLDER, data)
        return self._on.scribe.append(session, event).entry_sha256
