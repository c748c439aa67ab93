"""The worker's watch: whoever is owed a deposit that did not come gets a signed notice of it.

Order of effects: everything of one period (event, signed notice, letters to the parties) is one
transaction, and the row's key is the period; so a watch that dies anywhere leaves the notice whole
or not at all, and two workers write one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from escrow.deposits import records as deposits
from escrow.evidence.bundles import sign_statement
from escrow.evidence.statements import STATEMENT_FIELD, Stamp
from escrow.evidence.timing.papers import await_timestamps
from escrow.ground.clock import Clock
from escrow.ground.database import Database, Session
from escrow.ground.digests import canonical_json, sha256_hex
from escrow.ground.identifiers import AgreementId, ProductId
from escrow.ground.signatures import Signer
from escrow.ledger.appending import Scribe
from escrow.ledger.events import NewEvent, Stream
from escrow.notices import outbox
from escrow.notices.notices import Kind
from escrow.notices.readers import everybody, letters_to
from escrow.register.inforce import AgreementInForce, agreements_in_force
from escrow.verification import records
from escrow.verification.missing import records as kept
from escrow.verification.missing.records import MissingDepositRow
from escrow.verification.missing.rules import Owed, missing_statement

SIGNED = "verification:missing-deposit:signed"

# What a notice is about is the recent account; older deposits changed nothing since the last.
_ACCOUNT_MAX = 100


@dataclass(frozen=True)
class Watch:
    """What is needed to look; made once by whoever assembles the worker."""

    database: Database
    scribe: Scribe
    signer: Signer
    stamp: Stamp
    clock: Clock

    def look(self) -> int:
        """Sign a notice for each period that ended in vain, and return how many were new."""
        now = self.clock.now()
        with self.database.reading() as session:
            missed = [
                (product_id, one.agreement_id, due_at)
                for product_id in (ProductId(row.id) for row in deposits.all_products(session))
                for one in agreements_in_force(session, product_id)
                for due_at in self._new(session, one, product_id, now)
            ]
        return sum(self._sign(*one, now) for one in missed)

    def _new(
        self, session: Session, governing: AgreementInForce, product_id: ProductId, now: datetime
    ) -> list[datetime]:
        missed = owed_of(session, governing, product_id).missed(now)
        agreement_id = governing.agreement_id
        return [one for one in missed if not kept.is_signed(session, agreement_id, product_id, one)]

    def _sign(
        self, product_id: ProductId, agreement_id: AgreementId, due_at: datetime, now: datetime
    ) -> bool:
        """Sign one notice; everything is looked at anew, for a report may have come meanwhile."""
        with self.database.writing() as session:
            governing = next(
                (
                    one
                    for one in agreements_in_force(session, product_id)
                    if one.agreement_id == agreement_id
                ),
                None,
            )
            if governing is None or due_at not in self._new(session, governing, product_id, now):
                return False
            self._write(session, governing, owed_of(session, governing, product_id), due_at, now)
        return True

    def _write(
        self,
        session: Session,
        governing: AgreementInForce,
        owed: Owed,
        due_at: datetime,
        now: datetime,
    ) -> None:
        account = _account(session, ProductId(owed.product_id))
        signed = sign_statement(missing_statement(self.stamp, owed, due_at, account), self.signer)
        data: dict[str, object] = {
            "product_id": owed.product_id,
            STATEMENT_FIELD: signed.statement_sha256,
        }
        event = NewEvent(
            Stream("agreement", owed.agreement_id), SIGNED, f"role:{self.scribe.role}", data
        )
        entry = self.scribe.append(session, event)
        kept.add(
            session,
            MissingDepositRow(
                agreement_id=owed.agreement_id,
                product_id=owed.product_id,
                due_at=due_at,
                signed_at=now,
                statement_sha256=signed.statement_sha256,
                entry_sha256=entry.entry_sha256,
                document=signed.to_json(),
            ),
        )
        await_timestamps(session, signed, now)
        self._tell(session, governing, owed, due_at, now)

    def _tell(
        self,
        session: Session,
        governing: AgreementInForce,
        owed: Owed,
        due_at: datetime,
        now: datetime,
    ) -> None:
        period = f"{owed.agreement_id}:{owed.product_id}:missing:{due_at:%Y%m%d}"
        letters = letters_to(
            everybody(governing.terms),
            governing.terms,
            AgreementId(owed.agreement_id),
            about=period,
            kind=Kind.DEPOSIT_MISSING,
            path=f"/api/v1/agreements/{owed.agreement_id}/missing-deposits",
        )
        for notice in letters:
            outbox.post(session, self.scribe, notice, actor=self.scribe.role, now=now)


def owed_of(session: Session, governing: AgreementInForce, product_id: ProductId) -> Owed:
    """Return what an agreement is owed of a product, from the last report that met its cadence."""
    last = records.last_owed_of(session, product_id, governing.agreement_id)
    since = last.finished_at if last and last.finished_at else governing.in_force_since
    return Owed(
        agreement_id=governing.agreement_id,
        version=governing.version,
        product_id=product_id,
        level=governing.terms.verification.level,
        since=since,
        last_number=last.deposit_number if last else None,
        cadence=timedelta(days=governing.terms.cadence_days),
        grace=timedelta(days=governing.terms.grace_days),
    )


def _account(session: Session, product_id: ProductId) -> str:
    """Return the digest of the account of deposits: id, number and state of each, newest first."""
    rows = deposits.deposits_of(session, product_id, _ACCOUNT_MAX)
    return sha256_hex(canonical_json([[row.id, row.number, row.state] for row in rows]))
