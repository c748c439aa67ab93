"""A worker's world in a folder: sealed deposits, a keyholder, and a runner without Docker.

Everything is real but three things: the agreement is put in force by hand, the keyholder is no
process of its own, and :class:`FakeRunner` stands where Docker would be.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from escrow.deposits import records as deposits
from escrow.engine.jobs import JobFunction
from escrow.evidence.statements import Stamp
from escrow.ground.database import Session
from escrow.ground.digests import sha256_hex
from escrow.ground.identifiers import (
    AgreementId,
    DepositId,
    DocumentId,
    ExaminationId,
    ProductId,
    new_id,
)
from escrow.ledger.appending import Scribe
from escrow.ledger.records import entries_by_stream
from escrow.register import records as register
from escrow.testing.agreements import AgreementCast
from escrow.testing.intake import ListedJobs
from escrow.testing.keyholder import KeyholderInside
from escrow.testing.ledgers import LedgerWorld
from escrow.testing.runners import FakeRunner
from escrow.vault import records as vault
from escrow.vault.age import (
    FileKey,
    X25519Identity,
    encrypt_bytes,
    open_header,
    parse_recipient,
    wrap_file_key,
)
from escrow.vault.blobs import FileBlobStore
from escrow.vault.sealing import PayloadSealer
from escrow.verification import records
from escrow.verification.documents import open_sealed_document
from escrow.verification.examine import Examiner, Jobs, Tools
from escrow.verification.runner import Runner

AGREEMENT = "agr_1"
PRODUCT = ProductId("prd_1")
SECOND_WORKER = "worker/second"

A_PYTHON_PROJECT: Mapping[str, bytes] = MappingProxyType(
    {
        "pyproject.toml": b'[project]\nname = "ledger"\nversion = "1.0"\n',
        "ledger.py": b"print('ledger')\n",
        "README.md": b"Build it with pip.\n",
    }
)


def tar_of(files: Mapping[str, bytes]) -> bytes:
    """Return a tar of some files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


class WorkerKeyholder(KeyholderInside):
    """A keyholder that serves one worker, too."""

    def __init__(self, world: LedgerWorld, worker: X25519Identity) -> None:
        key = world.key("keyholder")
        super().__init__(
            world.database, key, Scribe("keyholder", key, world.clock), world.sequencer
        )
        self._worker = worker
        self._clock = world.clock
        self.documents_identity = _identity("documents")
        self.closed: list[str] = []

    def open_for_verification(self, deposit_id: DepositId) -> bytes:
        """Seal the deposit's file keys to the worker."""
        self._check_up()
        keys = self.file_keys(deposit_id)
        listed = {part: base64.b64encode(key.raw).decode() for part, key in keys.items()}
        return encrypt_bytes(json.dumps(listed).encode(), [self._worker.recipient])

    def close_lane(self, deposit_id: DepositId) -> None:
        """Forget a lane, and remember that."""
        super().close_lane(deposit_id)
        self.closed.append(deposit_id)

    def documents_recipient(self, product_id: ProductId) -> str:
        """Return the one documents recipient, its row made the first time."""
        self._check_up()
        recipient = str(self.documents_identity.recipient)
        with self._database.writing() as session:
            if vault.documents_key(session, product_id) is None:
                row = vault.DocumentsKeyRow(
                    product_id=product_id,
                    epoch=1,
                    recipient=recipient,
                    key_id="documents",
                    sealed_identity=b"",
                    created_at=self._clock.now(),
                )
                vault.add(session, row)
        return recipient

    def open_document(self, document_id: DocumentId) -> bytes:
        """Return the file key of a document."""
        self._check_up()
        with self._database.reading() as session:
            row = vault.document_by_id(session, document_id)
        if row is None:
            return super().open_document(document_id)
        return open_header(row.header, [self.documents_identity]).raw


class VerificationWorld:
    """One installation with a product, an agreement in force, and a worker.

    Args:
        folder: for what lasts; a second world on the same folder is a restart.
        changes: placeholders of the agreement's template that are filled otherwise.
        engine: where jobs are enqueued; a list where none is given.
        runner: another one than the fake.
        two_workers: the trust root names a second one.
    """

    def __init__(
        self,
        folder: Path,
        changes: Mapping[str, str] | None = None,
        engine: Jobs | None = None,
        runner: Runner | None = None,
        *,
        two_workers: bool = False,
    ) -> None:
        self.ledger = LedgerWorld(folder)
        if two_workers:
            _let_second_in(self.ledger)
        self.database = self.ledger.database
        self.clock = self.ledger.clock
        self.scratch = folder / "scratch"
        self.scratch.mkdir(exist_ok=True)
        self.blobs = FileBlobStore(folder / "blobs")
        self.cast = AgreementCast(changes=changes or {})
        worker = _identity("worker")
        self.keyholder = WorkerKeyholder(self.ledger, worker)
        self.runner = FakeRunner(self.scratch)
        self.second_runner = FakeRunner(self.scratch)
        self.jobs = ListedJobs()
        self.tools = Tools(
            database=self.database,
            engine=engine or _DefiningJobs(self.jobs),
            clock=self.clock,
            scribe=Scribe("worker", self.ledger.key("worker"), self.clock),
            signer=self.ledger.key("worker"),
            keyholder=self.keyholder,
            worker=worker,
            blobs=self.blobs,
            runner=runner or self.runner,
            scratch=self.scratch,
            stamp=Stamp("Trial Escrow", "production", "0"),
            trust_root=self.ledger.trust_root,
        )
        self.examiner = Examiner(self.tools)
        with self.database.writing() as session:
            if deposits.product_by_id(session, PRODUCT) is None:
                self._register(session)

    def deposit(
        self,
        files: Mapping[str, bytes] = A_PYTHON_PROJECT,
        more: Mapping[str, bytes] | None = None,
        carried: Sequence[str] = (),
        refs: Sequence[str] = ("refs/heads/main",),
    ) -> DepositId:
        """Seal a deposit: one tar of source, further parts, and parts carried by id.

        Args:
            files: of the source; empty: no source is sent.
            more: ``kind/name`` to content.
            carried: ids of parts that are taken over.
            refs: that the source was pushed to.
        """
        deposit_id = DepositId(new_id("dep"))
        with self.database.writing() as session:
            newest = deposits.newest_sealed(session, PRODUCT)
            now = self.clock.now()
            row = deposits.Deposit(
                id=deposit_id,
                product_id=PRODUCT,
                number=(newest.number or 0) + 1 if newest else 1,
                state="sealed",
                via="git",
                opened_by="tok_1",
                opened_at=now,
                sealed_at=now,
            )
            deposits.add(session, row)
            git = {"refs": dict.fromkeys(refs, "0" * 40), "head_commit": None}
            if files:
                part = self._part(deposit_id, "source/core", "tar", tar_of(files))
                part.git = git
                deposits.add(session, part)
            for label, content in (more or {}).items():
                deposits.add(session, self._part(deposit_id, label, "file", content))
            for origin in carried:
                deposits.add(session, self._carry(session, deposit_id, origin))
        return deposit_id

    def write_headers(self, deposit_id: DepositId, agreement_id: str = AGREEMENT) -> None:
        """Write header records as the keyholder does, with nothing inside."""
        with self.database.writing() as session:
            for part in deposits.parts_of(session, deposit_id):
                if part.carried_from is None:
                    row = vault.HeaderRecordRow(
                        agreement_id=agreement_id,
                        product_id=PRODUCT,
                        deposit_id=deposit_id,
                        part_id=part.id,
                        lock="a+b",
                        epoch=1,
                        payload_sha256=part.payload_sha256,
                        key_id="kek",
                        record=b"",
                        commitment_salt="",
                        commitment="",
                        created_at=self.clock.now(),
                    )
                    vault.add(session, row)

    def sealed_deposit(
        self,
        files: Mapping[str, bytes] = A_PYTHON_PROJECT,
        more: Mapping[str, bytes] | None = None,
        carried: Sequence[str] = (),
    ) -> DepositId:
        """Seal a deposit with its lasting headers."""
        deposit_id = self.deposit(files, more, carried)
        self.write_headers(deposit_id)
        return deposit_id

    def examine(self, deposit_id: DepositId) -> str:
        """Make one attempt as the job does; return the step's word."""
        self.examiner.queue(deposit_id)
        return self.examiner.examine(deposit_id, f"verify-{deposit_id}", lambda: None)

    def second_worker(self) -> Examiner:
        """Return the examiner of the second worker, with keys of its own."""
        key = self.ledger.key(SECOND_WORKER)
        tools = replace(
            self.tools,
            scribe=Scribe("worker", key, self.clock),
            signer=key,
            runner=self.second_runner,
        )
        return Examiner(tools)

    def confirm(self, second: Examiner, deposit_id: DepositId) -> records.ExaminationRow:
        """Run every step of a second worker's job and return its examination."""
        examination_id = second.queue(deposit_id, second=True)
        key = f"confirm-{examination_id}"
        word = second.examine(deposit_id, key, lambda: None, second=True)
        if word == "concluded":
            second.publish(ExaminationId(examination_id))
            second.close(ExaminationId(examination_id))
        with self.database.reading() as session:
            row = records.examination_by_id(session, ExaminationId(examination_id))
        if row is None:
            raise ValueError("there is nothing to confirm")
        return row

    def verify(self, deposit_id: DepositId) -> records.ExaminationRow:
        """Run every step of the job and return the examination."""
        self.examine(deposit_id)
        examination_id = ExaminationId(self.examination(deposit_id).id)
        self.examiner.publish(examination_id)
        self.examiner.close(examination_id)
        return self.examination(deposit_id)

    def examination(self, deposit_id: DepositId) -> records.ExaminationRow:
        """Return the examination of a deposit."""
        with self.database.reading() as session:
            row = records.newest_examination(session, deposit_id)
        if row is None:
            raise ValueError("the deposit was never queued")
        return row

    def report(
        self, deposit_id: DepositId, reader: str = "vendor", agreement_id: str = ""
    ) -> records.ReportRow:
        """Return the report of a deposit for a class of readers."""
        with self.database.reading() as session:
            row = records.report_of(session, deposit_id, reader, AgreementId(agreement_id))
        if row is None:
            raise ValueError("there is no such report")
        return row

    def codes(self, deposit_id: DepositId) -> list[str]:
        """Return the codes of a deposit's findings."""
        examination_id = ExaminationId(self.examination(deposit_id).id)
        with self.database.reading() as session:
            return [row.code for row in records.findings_of(session, examination_id)]

    def part_id(self, deposit_id: DepositId, kind: str = "source") -> str:
        """Return the id of a deposit's part of a kind."""
        with self.database.reading() as session:
            return next(p.id for p in deposits.parts_of(session, deposit_id) if p.kind == kind)

    def documents(self, deposit_id: DepositId) -> dict[str, bytes]:
        """Return the sealed documents of a deposit, opened, by kind."""
        with self.database.reading() as session:
            rows = vault.documents_of(session, deposit_id)
        return {
            row.kind: b"".join(open_sealed_document(self.blobs, self.keyholder, row))
            for row in rows
        }

    def events(self, kind: str = "") -> list[str]:
        """Return the types of all events of verification, in order."""
        with self.database.reading() as session:
            entries = list(entries_by_stream(session))
        return [one.type for one in entries if one.type.startswith(f"verification:{kind}")]

    def close(self) -> None:
        """Close the database."""
        self.ledger.close()

    def _register(self, session: Session) -> None:
        now, terms = self.clock.now(), self.cast.agreement
        deposits.add(
            session,
            deposits.Product(
                id=PRODUCT,
                organisation_id="org_1",
                slug=self.cast.product,
                name="Ledger",
                history="full",
                terms_salt="",
                created_at=now,
            ),
        )
        register.add(
            session,
            register.AgreementRow(
                id=AGREEMENT, vendor_organisation_id="org_1", filed_by="mem_1", filed_at=now
            ),
        )
        version = register.VersionRow(
            agreement_id=AGREEMENT,
            version=1,
            filed_by="mem_1",
            filed_at=now,
            text=self.cast.text,
            text_sha256=sha256_hex(self.cast.text.encode()),
            title=terms.title,
            custody=terms.custody,
            k=terms.sealing.k,
            n=len(terms.agents),
            in_force_at=now,
        )
        register.add(session, version)
        covered = register.ProductRow(agreement_id=AGREEMENT, version=1, product_id=PRODUCT)
        register.add(session, covered)

    def _part(self, deposit_id: DepositId, label: str, media: str, content: bytes) -> deposits.Part:
        kind, _, name = label.partition("/")
        file_key = FileKey.generate()
        sealer = PayloadSealer(self.blobs.stage(), file_key)
        sealer.write(content)
        sealed = sealer.finish()
        lane = self.keyholder.open_lane(PRODUCT, deposit_id)
        return deposits.Part(
            id=new_id("prt"),
            deposit_id=deposit_id,
            product_id=PRODUCT,
            kind=kind,
            name=name,
            media=media,
            size_bytes=sealed.size_bytes,
            sha256=sealed.sha256,
            encoding=sealed.encoding,
            payload_sha256=sealed.payload_sha256,
            payload_size_bytes=sealed.payload_size_bytes,
            lane_header=wrap_file_key(file_key, [parse_recipient(lane.recipient)]),
            as_of=self.clock.now(),
        )

    def _carry(self, session: Session, deposit_id: DepositId, origin: str) -> deposits.Part:
        part = deposits.part_by_id(session, origin)
        if part is None:
            raise ValueError("there is no such part")
        values = part.model_dump() | {
            "id": new_id("prt"),
            "deposit_id": deposit_id,
            "lane_header": b"",
            "carried_from": origin,
        }
        return deposits.Part(**values)


def _let_second_in(ledger: LedgerWorld) -> None:
    roles = {**ledger.trust_root.roles, SECOND_WORKER: ledger.key(SECOND_WORKER).public}
    ledger.trust_root = replace(ledger.trust_root, roles=roles)
    ledger.sequencer = ledger.new_sequencer()


def _identity(name: str) -> X25519Identity:
    """Return the key whose seed is the digest of a name: a restarted world has the same."""
    return X25519Identity(hashlib.sha256(name.encode()).digest())


class _DefiningJobs:
    """A list of jobs that takes definitions, too."""

    def __init__(self, listed: ListedJobs) -> None:
        self._listed = listed
        self.enqueue = listed.enqueue

    def define(self, name: str, function: JobFunction) -> None:
        """Take a definition that nobody runs."""

    def define_elsewhere(self, name: str) -> None:
        """Take the name of another process's jobs."""
