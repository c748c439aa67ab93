"""What moves endings on without a person: clocks, the keyholder, and the removal of ciphertext.

Safe at any time, any number of times: it looks at the events and does what is due. A crash after
the keyholder's work leaves rows that say less than the events; they are repeated here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from escrow.endings import records
from escrow.endings.errors import BeneficiaryNotServed
from escrow.endings.notifying import notify
from escrow.endings.ports import EndingsKeyholder
from escrow.endings.reading import (
    OpenedEnding,
    open_ending,
    product_id_of,
    product_of,
    rows_of,
)
from escrow.endings.rules import droppable, grace_ends_at, quarantine_ends_at
from escrow.endings.states import EVENT, Kind, State, Step
from escrow.ground.clock import Clock
from escrow.ground.database import Database, Session
from escrow.ground.errors import EscrowError, Refused
from escrow.ground.identifiers import AgreementId, DepositId, ProductId
from escrow.ledger.appending import Scribe
from escrow.ledger.events import NewEvent, Stream

_STEP_INTO = {State.SHREDDED: Step.SHRED, State.DESTROYED: Step.EXECUTE}


@dataclass(frozen=True)
class EndingsDriver:
    """What is needed to move endings on."""

    database: Database
    keyholder: EndingsKeyholder
    scribe: Scribe
    clock: Clock

    def push_on(self, ending_id: str) -> State:
        """Do everything that is due for an ending, and return where it stands then.

        Raises:
            EndingUnknown, EndingHistoryBroken: see :func:`open_ending`.
            KeyholderOut: the keyholder is away; the upkeep comes again.
        """
        self.keyholder.sequence()
        with self.database.writing() as session:
            opened = open_ending(session, ending_id)
            has_ended = self._end_grace(session, opened)
        if has_ended:
            # Agents sign for a history that holds it, so it has to stand in the tree.
            self.keyholder.sequence()
        with self.database.reading() as session:
            opened = open_ending(session, ending_id)
        self._ask(opened)
        with self.database.writing() as session:
            opened = open_ending(session, ending_id)
            self._repeat_state(session, opened)
        return opened.ending.state

    def push_all_on(self, products: Iterable[ProductId] = ()) -> list[EscrowError]:
        """Move every open ending on, and drop what retention drops in some products.

        Returns what went wrong; one ending never stops another.
        """
        with self.database.reading() as session:
            waiting = [row.id for row in records.open_endings(session)]
        problems: list[EscrowError] = []
        for one in waiting:
            try:
                self.push_on(one)
            except EscrowError as problem:
                problems.append(problem)
        for product_id in products:
            try:
                self.drop_old(product_id)
            except EscrowError as problem:
                problems.append(problem)
        return problems

    def droppable(self, product_id: ProductId) -> list[str]:
        """Return what retention would drop now; changes nothing."""
        with self.database.reading() as session:
            product = product_of(session, product_id, rows_of(session))
        return droppable(product, self.clock.now())

    def drop_old(self, product_id: ProductId) -> list[str]:
        """Have the keyholder drop what retention drops, and return which deposits went.

        A hold or an open request keeps a deposit, which is no problem of anybody's.
        """
        dropped = []
        for deposit_id in self.droppable(product_id):
            try:
                self.keyholder.shred_deposit(DepositId(deposit_id))
            except Refused:
                continue
            dropped.append(deposit_id)
        return dropped

    def _end_grace(self, session: Session, opened: OpenedEnding) -> bool:
        """Log that the grace period is over, by the portal's clock; the keyholder has its own."""
        now, ending = self.clock.now(), opened.ending
        if ending.state is not State.SERVED or now <= self._grace_end(opened):
            return False
        event = NewEvent(
            Stream("agreement", opened.row.agreement_id),
            EVENT[Step.END_GRACE],
            "clock",
            {"ending_id": ending.id},
        )
        self.scribe.append(session, event)
        records.write_state(session, opened.row, State.CONFIRMING, now)
        told = [(opened.sight.agreement_id, opened.sight.terms)]
        notify(session, self.scribe, ending.id, Step.END_GRACE, told, now)
        return True

    def _grace_end(self, opened: OpenedEnding) -> datetime:
        try:
            return grace_ends_at(opened.ending, opened.sight.terms)
        except BeneficiaryNotServed:
            # An amendment brought a beneficiary whom nobody has served: it begins anew.
            return datetime.max.replace(tzinfo=self.clock.now().tzinfo)

    def _ask(self, opened: OpenedEnding) -> None:
        """Have the keyholder do what seems due; it decides by itself."""
        ending, now = opened.ending, self.clock.now()
        try:
            if ending.kind is Kind.WITHDRAWAL and (
                ending.state is State.SHREDDING
                or (
                    ending.state is State.QUARANTINED
                    and now > quarantine_ends_at(opened.sight, ending)
                )
            ):
                self.keyholder.shred_deposit(DepositId(ending.own["deposit_id"]))
            elif ending.state is State.DESTROYING or (
                ending.state is State.CONFIRMING
                and len(ending.given(Step.CONFIRM)) >= opened.sight.terms.sealing.k
            ):
                self.keyholder.destroy_agreement(ending.id)
        except Refused:
            # A hold, an open request, too few words: it waits, and is asked again.
            return

    def _repeat_state(self, session: Session, opened: OpenedEnding) -> None:
        row, ending, now = opened.row, opened.ending, self.clock.now()
        if row.state == ending.state:
            return
        records.write_state(session, row, ending.state, now)
        step = _STEP_INTO.get(ending.state)
        if step is None:
            return
        told = [(AgreementId(row.agreement_id), opened.sight.terms)]
        if ending.kind is Kind.WITHDRAWAL:
            deposit_id = ending.own["deposit_id"]
            product = product_of(session, product_id_of(session, deposit_id), rows_of(session))
            told = [(one.agreement_id, one.terms) for one in product.serving(deposit_id)]
        notify(session, self.scribe, ending.id, step, told, now)
