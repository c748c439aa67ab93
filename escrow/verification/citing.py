"""Prove a first worker's report before a second one cites it.

What stands in the tables is what a database writer can make. A second worker believes of the first
one's report what the signed tree bears out, under a key of a worker that is not its own.
"""

from __future__ import annotations

from escrow.evidence.statements import STATEMENT_FIELD
from escrow.evidence.trustroot import TrustRoot
from escrow.ground.database import Session
from escrow.ground.identifiers import ExaminationId
from escrow.ledger.proofs import proof_of, verify_proof
from escrow.ledger.verifying import VerifiedEvent
from escrow.verification import records
from escrow.verification.confirming import Cited, is_worth_confirming
from escrow.verification.errors import FirstReportUnproven, ProofsNotReady
from escrow.verification.examinations import REPORT_SIGNED
from escrow.verification.judging import ALL_AGREEMENTS
from escrow.verification.ladder import Level
from escrow.verification.report import VENDOR


def cite_first(session: Session, root: TrustRoot, own: str, first: records.ExaminationRow) -> Cited:
    """Return a first examination's report as it may be cited.

    1. Each of its reports stands in the ledger. 2. One key signed all of the entries, a worker's,
    and not ours. 3. The entries are about this examination of this deposit, and these statements.
    4. The vendor's says that the deposit was found buildable.

    Args:
        root: names the workers and their keys.
        own: id of our own report key.

    Raises:
        ProofsNotReady: the ledger has not got that far.
        FirstReportUnproven: one of the questions is answered no.
        ProofFails, EntryMalformed, RoleUnknown, RoleSignatureWrong: the ledger's proof fails.
    """
    rows = records.reports_of_examination(session, ExaminationId(first.id))
    signers = set()
    level: str | None = None
    for row in rows:
        event = _proven(session, root, row.entry_sha256)
        _check_about(event, first, row)
        signers.add(event.key_id)
        if (row.agreement_id, row.disclosure_class) == (ALL_AGREEMENTS, VENDOR):
            level = str(event.event.data["level"])
    others = {key.key_id for key in root.workers.values()} - {own}
    is_anothers = len(signers) == 1 and signers <= others
    if level is None or not is_anothers or not is_worth_confirming(level):
        raise FirstReportUnproven(first.id)
    statements = {(one.agreement_id, one.disclosure_class): one.statement_sha256 for one in rows}
    return Cited(first.id, signers.pop(), Level(level), statements)


def _proven(session: Session, root: TrustRoot, entry_sha256: str) -> VerifiedEvent:
    proof = proof_of(session, entry_sha256)
    if proof is None:
        raise ProofsNotReady
    return verify_proof(proof, root.ledger_keys)


def _check_about(
    event: VerifiedEvent, first: records.ExaminationRow, row: records.ReportRow
) -> None:
    data = event.event.data
    said = (data.get("examination_id"), data.get("deposit_id"), data.get(STATEMENT_FIELD))
    is_report = (event.event.type, event.event.role) == (REPORT_SIGNED, "worker")
    is_for = row.disclosure_class in _words(data.get("classes"))
    if not is_report or not is_for or said != (first.id, first.deposit_id, row.statement_sha256):
        raise FirstReportUnproven(first.id)


def _words(value: object) -> list[object]:
    return value if isinstance(value, list) else []
