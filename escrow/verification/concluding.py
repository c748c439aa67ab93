"""Conclude an examination: judge, sign one statement for each class, seal the vendor's documents.

Order of effects: documents are sealed into the store under fresh keys first (a crash leaves blobs
that nothing names), then one transaction writes the move, findings, reports, documents and all
ledger events. So there is one report or none, however often the step runs.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from escrow.evidence.bundles import SignedDocument, sign_together
from escrow.evidence.statements import BESIDE_FIELD, STATEMENT_FIELD, Stamp
from escrow.evidence.timing.papers import await_timestamps
from escrow.ground.database import Database, Session
from escrow.ground.digests import new_salt
from escrow.ground.identifiers import DepositId, ProductId
from escrow.ground.signatures import Signer
from escrow.ledger.appending import Scribe
from escrow.ledger.events import NewEvent, Stream
from escrow.vault import records as vault
from escrow.vault.blobs import BlobStore
from escrow.vault.keyholder import Keyholder
from escrow.verification import documents, records
from escrow.verification.checks import level_of
from escrow.verification.documents import SealedDocument, seal_document
from escrow.verification.errors import DocumentsKeyChanged
from escrow.verification.examinations import (
    CONFIRMATION_SIGNED,
    DOCUMENTS_SEALED,
    REPORT_SIGNED,
    Act,
)
from escrow.verification.gathering import Case
from escrow.verification.judging import Verdicts, attributed
from escrow.verification.outcomes import DocumentFacts, Outcome
from escrow.verification.papers import Papers
from escrow.verification.parts import DepositFacts
from escrow.verification.progress import ACTOR, move
from escrow.verification.records import FindingRow, ReportRow
from escrow.verification.report import (
    OWN_SALT,
    SUMMARY,
    Readers,
    predicate,
    readers_of,
    report_statement,
    subjects_of,
)


@dataclass(frozen=True)
class _Report:
    """One signed statement, for one or more classes of one agreement."""

    readers: Readers
    signed: SignedDocument
    sealed: SealedDocument | None


@dataclass(frozen=True)
class Concluder:
    """What is needed to conclude; made once by whoever assembles the worker."""

    database: Database
    scribe: Scribe
    signer: Signer
    keyholder: Keyholder
    blobs: BlobStore
    stamp: Stamp

    def conclude(
        self,
        act: Act,
        case: Case,
        outcome: Outcome,
        verdicts: Verdicts,
        live_log: Path | None,
        now: datetime,
    ) -> None:
        """Write the end of an examination, once.

        Args:
            act: by which it ends.
            outcome: without its documents; they are made here.
            live_log: plaintext log in scratch, if anything was logged.

        Raises:
            TakenOver: another attempt has it; nothing was written.
            Unavailable: keyholder or store cannot be reached; nothing was written.
        """
        recipient = self.keyholder.documents_recipient(ProductId(case.deposit.product_id))
        sealed = self._seal_documents(recipient, outcome, verdicts, live_log)
        outcome = replace(
            outcome,
            documents=tuple(_facts(one) for one in sealed),
            worker=self.signer.public.key_id,
        )
        reports = self._reports(recipient, case, outcome, verdicts)
        sealed += [one.sealed for one in reports if one.sealed is not None]
        with self.database.writing() as session:
            data = {"verdict": verdicts.vendor.verdict, "level": verdicts.vendor.reached}
            row = move(session, self.scribe, outcome.examination_id, outcome.attempt, act, data)
            row.verdict = verdicts.vendor.verdict
            row.level = verdicts.vendor.reached
            row.reason = verdicts.vendor.reason
            row.worker = outcome.worker
            epoch = self._documents_epoch(session, ProductId(row.product_id), recipient)
            deposit_id = DepositId(row.deposit_id)
            vault.add(
                session,
                *(one.row(ProductId(row.product_id), deposit_id, epoch, now) for one in sealed),
            )
            records.add(session, row, *_finding_rows(row, verdicts))
            records.add(session, *_kit_images(outcome, sealed))
            for report in reports:
                self._write_report(session, case.deposit, outcome, report, now)
            self._log_documents(session, case.deposit, outcome, sealed)

    def _seal_documents(
        self,
        recipient: str,
        outcome: Outcome,
        verdicts: Verdicts,
        live_log: Path | None,
    ) -> list[SealedDocument]:
        made = [(documents.FINDINGS, documents.findings_pieces(attributed(verdicts)))]
        if outcome.inspection is not None:
            made.append((documents.MANIFEST, documents.manifest_pieces(outcome.inspection)))
        if outcome.kit is not None:
            made.append((documents.KIT, iter([outcome.kit.document])))
        if live_log is not None and live_log.exists():
            made.append((documents.LOG, documents.file_pieces(live_log)))
        return [seal_document(self.blobs, recipient, kind, pieces) for kind, pieces in made]

    def _reports(
        self, recipient: str, case: Case, outcome: Outcome, verdicts: Verdicts
    ) -> list[_Report]:
        salts = {OWN_SALT: new_salt()}
        salts |= {one.terms.agreement_id: new_salt() for one in case.agreements}
        made = []
        for readers in readers_of(verdicts):
            sections = predicate(
                self.stamp, case.deposit, outcome, readers, salts, verdicts.under_each
            )
            statement = report_statement(case.deposit, sections, readers)
            papers = Papers(self.stamp, case.deposit, outcome, readers)
            beside = papers.beside(statement, subjects_of(case.deposit, sections, readers))
            signed = sign_together(statement, beside, self.signer)
            sealed = None
            if readers.kinds != {SUMMARY}:
                text = signed.to_json().encode()
                reader = readers.classes[0]
                sealed = seal_document(self.blobs, recipient, documents.REPORT, [text], reader)
            made.append(_Report(readers, signed, sealed))
        return made

    def _write_report(
        self,
        session: Session,
        deposit: DepositFacts,
        outcome: Outcome,
        report: _Report,
        now: datetime,
    ) -> None:
        """Log the signed statement in the stream of whoever reads it, and store it."""
        event = _report_event(deposit, outcome, report)
        entry = self.scribe.append(session, event)
        rows = _report_rows(deposit, outcome, report, entry.entry_sha256, now)
        records.add(session, *rows)
        await_timestamps(session, report.signed, now)

    def _log_documents(
        self,
        session: Session,
        deposit: DepositFacts,
        outcome: Outcome,
        sealed: Sequence[SealedDocument],
    ) -> None:
        data = {
            "examination_id": outcome.examination_id,
            "deposit_id": deposit.id,
            "documents": [
                {"id": one.id, "kind": one.kind, "payload_sha256": one.payload.payload_sha256}
                for one in sealed
            ],
        }
        stream = Stream("product", deposit.product_id)
        self.scribe.append(session, NewEvent(stream, DOCUMENTS_SEALED, ACTOR, data))

    def _documents_epoch(self, session: Session, product_id: ProductId, recipient: str) -> int:
        key = vault.documents_key(session, product_id)
        if key is None or key.recipient != recipient:
            raise DocumentsKeyChanged
        return key.epoch


def _report_event(deposit: DepositFacts, outcome: Outcome, report: _Report) -> NewEvent:
    readers, judgement = report.readers, report.readers.judgement
    stream = (
        Stream("agreement", readers.agreement_id)
        if readers.agreement_id
        else Stream("product", deposit.product_id)
    )
    data: dict[str, object] = {
        "examination_id": outcome.examination_id,
        "deposit_id": deposit.id,
        "classes": list(readers.classes),
        STATEMENT_FIELD: report.signed.statement_sha256,
        "verdict": judgement.verdict,
        "level": judgement.reached,
    }
    if report.signed.beside:
        data[BESIDE_FIELD] = report.signed.beside_sha256
    if outcome.confirms is None:
        return NewEvent(stream, REPORT_SIGNED, ACTOR, data)
    data["confirms"] = outcome.confirms.examination_id
    return NewEvent(stream, CONFIRMATION_SIGNED, ACTOR, data)


def _report_rows(
    deposit: DepositFacts, outcome: Outcome, report: _Report, entry_sha256: str, now: datetime
) -> list[ReportRow]:
    """Return one row for each class that reads the statement."""
    judgement = report.readers.judgement
    return [
        ReportRow(
            examination_id=outcome.examination_id,
            agreement_id=report.readers.agreement_id,
            disclosure_class=reader,
            deposit_id=deposit.id,
            product_id=deposit.product_id,
            verdict=judgement.verdict,
            level=judgement.reached,
            reason=judgement.reason,
            ordered_level=judgement.ordered,
            renews_badge=judgement.renews_badge,
            meets_cadence=judgement.meets_cadence,
            signed_at=now,
            statement_sha256=report.signed.statement_sha256,
            entry_sha256=entry_sha256,
            document=None if report.sealed else _as_json(report.signed),
            document_id=report.sealed.id if report.sealed else None,
        )
        for reader in report.readers.classes
    ]


def _finding_rows(row: records.ExaminationRow, verdicts: Verdicts) -> list[FindingRow]:
    """Return codes and counts; a component stands for its name by its place among the named."""
    named = sorted({one.component for one in verdicts.vendor.findings if one.component})
    places: Mapping[str | None, int] = {name: place for place, name in enumerate(named)}
    counted = Counter(
        (agreement_id, one.code, places.get(one.component, -1))
        for agreement_id, one in attributed(verdicts)
    )
    severities = {one.code: one.severity for _, one in attributed(verdicts)}
    return [
        FindingRow(
            examination_id=row.id,
            product_id=row.product_id,
            agreement_id=agreement_id,
            code=code,
            component=component,
            severity=severities[code],
            level=level_of(code),
            count=count,
        )
        for (agreement_id, code, component), count in counted.items()
    ]


def _kit_images(outcome: Outcome, sealed: Sequence[SealedDocument]) -> list[records.KitImageRow]:
    needed = outcome.kit.images if outcome.kit else ()
    return [
        records.KitImageRow(document_id=one.id, image_id=image)
        for one in sealed
        if one.kind == documents.KIT
        for image in needed
    ]


def _facts(sealed: SealedDocument) -> DocumentFacts:
    return DocumentFacts(sealed.kind, sealed.payload.sha256, sealed.payload.size_bytes)


def _as_json(signed: SignedDocument) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(signed.to_json())
    return value
