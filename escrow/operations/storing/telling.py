"""Tell people of what is lost: a payload that can be mended from neither copy.

Everything of one deposit (the event and the letters) is one transaction, and a letter's key is the
deposit with exactly what is lost of it, so that a worker which dies here tells once, and again only
when more is lost. The parties' contacts and the agents of each agreement in force are told: the
vendor can deposit anew, the others must not rely on it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from escrow.deposits import records as deposits
from escrow.ground.clock import Clock
from escrow.ground.database import Database, Session
from escrow.ground.digests import canonical_json, sha256_hex
from escrow.ground.identifiers import DepositId, ProductId
from escrow.ledger.appending import Scribe
from escrow.ledger.events import NewEvent, Stream
from escrow.notices import outbox
from escrow.notices import records as notices
from escrow.notices.notices import Kind, NoticeToSend
from escrow.notices.readers import everybody, letters_to
from escrow.register.inforce import AgreementInForce, agreements_in_force
from escrow.vault.storage import records

LOST = "vault:deposit:lost"

# Of one deposit; its event holds 64 KiB.
_MAX_NAMED = 500

_log = logging.getLogger("escrow.storage")


@dataclass(frozen=True)
class LossTeller:
    """What is needed to tell; made once by whoever assembles the worker."""

    database: Database
    scribe: Scribe
    clock: Clock

    def look(self) -> int:
        """Tell of each deposit that lost a part, and return how many were new."""
        with self.database.reading() as session:
            lost = records.lost_payloads(session)
            named = deposits.naming(session, lost)
        return sum(self._tell(one, sorted(payloads)) for one, payloads in sorted(named.items()))

    def _tell(self, deposit_id: DepositId, payloads: Sequence[str]) -> bool:
        with self.database.reading() as session:
            if not self._untold(session, deposit_id, payloads):
                return False
        with self.database.writing() as session:
            untold = self._untold(session, deposit_id, payloads)
            row = deposits.deposit_by_id(session, deposit_id)
            if not untold or row is None:
                return False
            data = {"deposit_id": deposit_id, "payloads": payloads[:_MAX_NAMED]}
            event = NewEvent(
                Stream("product", row.product_id), LOST, f"role:{self.scribe.role}", data
            )
            self.scribe.append(session, event)
            for one in untold:
                outbox.post(session, self.scribe, one, actor=self.scribe.role, now=self.clock.now())
        _log.error("%d parts of deposit %s are lost in every copy", len(payloads), deposit_id)
        return True

    def _untold(
        self, session: Session, deposit_id: DepositId, payloads: Sequence[str]
    ) -> list[NoticeToSend]:
        row = deposits.deposit_by_id(session, deposit_id)
        if row is None or row.number is None:
            return []
        what = sha256_hex(canonical_json(list(payloads)))[:16]
        letters = [
            letter
            for one in agreements_in_force(session, ProductId(row.product_id))
            for letter in _letters(one, deposit_id, what)
        ]
        return [one for one in letters if notices.by_key(session, one.key) is None]


def _letters(governing: AgreementInForce, deposit_id: DepositId, what: str) -> list[NoticeToSend]:
    letters = letters_to(
        everybody(governing.terms),
        governing.terms,
        governing.agreement_id,
        about=f"{governing.agreement_id}:{deposit_id}:lost:{what}",
        kind=Kind.DEPOSIT_DAMAGED,
        path=f"/api/v1/deposits/{deposit_id}",
    )
    return list(letters)
