"""A whole portal in a folder: the real application, its rooms, the keyholder's, and a worker.

Everything is real but two things: keyholder and worker are no processes of their own, and
:class:`FakeRunner` stands where Docker would be. Whatever people do, they do over HTTP.
"""

from __future__ import annotations

import base64
import hashlib
import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx

from escrow.custody.driving import CustodyDriver
from escrow.deposits.admission import DepositGate
from escrow.deposits.git_confinement import GitConfinement
from escrow.deposits.intake import Intake
from escrow.deposits.push_intake import GitIntake
from escrow.deposits.pushing import PushReception
from escrow.deposits.uploads import UploadDesk
from escrow.endings.driving import EndingsDriver
from escrow.evidence import acts
from escrow.evidence.anchors import NO_ANCHORS, Anchors
from escrow.evidence.statements import Stamp
from escrow.ground.identifiers import DepositId, DocumentId, ExaminationId, ProductId
from escrow.ledger.appending import Scribe
from escrow.operations import tables
from escrow.operations.keyholder.ceremonies import Ceremonies
from escrow.operations.keyholder.custody import Custody
from escrow.operations.keyholder.documents import Documents
from escrow.operations.keyholder.endings import Endings
from escrow.operations.keyholder.grounds import Grounds
from escrow.operations.keyholder.lanes import Lanes
from escrow.operations.keyholder.releases import Releases
from escrow.operations.keyholder.wire import WORKER
from escrow.parties import bootstrap
from escrow.parties.permissions import Role, verbs_of
from escrow.portal.app import make_app
from escrow.portal.rooms import Rooms
from escrow.register.inforce import agreements_in_force
from escrow.register.reading import parties_covering
from escrow.releases.driving import Driver
from escrow.testing.agreements import AgreementCast
from escrow.testing.intake import ListedJobs
from escrow.testing.ledgers import LedgerWorld
from escrow.testing.runners import FakeRunner
from escrow.testing.serving import served
from escrow.testing.verification import A_PYTHON_PROJECT, tar_of
from escrow.vault import age
from escrow.vault.blobs import FileBlobStore
from escrow.vault.ceremony import (
    combine_canary,
    open_canary_share,
    open_share_file,
    seal_canary_share,
)
from escrow.vault.continuity.copies import ContinuityFolder
from escrow.vault.keys import FileKeyManager, InsecureKeyManager, KeyManager
from escrow.vault.lanes import LaneAnnouncement, verify_lane
from escrow.verification.examine import Examiner, Tools

PUBLIC_URL = "https://escrow.example"
VERSION_OF_TUS = {"Tus-Resumable": "1.0.0"}


# What the keyholder of trials is told about backups.
BACKUP_HORIZON_DAYS = 35


class KeyholderHere:
    """The keyholder's own rooms, asked without a socket; a ``Keyholder``."""

    def __init__(self, grounds: Grounds) -> None:
        self.grounds = self._on = grounds
        self._lanes, self._documents = Lanes(grounds), Documents(grounds)
        self.sequence = grounds.sequence
        self.seal_lasting_headers = self._lanes.seal_lasting_headers
        self.close_lane = self._lanes.close_lane
        self.hold_ceremony = Ceremonies(grounds).hold_ceremony
        releases = Releases(grounds)
        self.open_confirmation = releases.open_confirmation
        self.check_release_share = releases.check_release_share
        self.execute_release = releases.execute_release
        self.custody = Custody(grounds)
        self.open_session = self.custody.open_session
        self.settle_session = self.custody.settle_session
        self.carry_out_session = self.custody.carry_out_session
        endings = Endings(grounds, BACKUP_HORIZON_DAYS)
        self.shred_deposit = endings.shred_deposit
        self.destroy_agreement = endings.destroy_agreement

    def open_lane(self, product_id: ProductId, deposit_id: DepositId) -> LaneAnnouncement:
        """Return the deposit's lane, checked as from another process."""
        answer = self._lanes.open_lane(product_id, deposit_id)
        signature = base64.b64decode(answer["signature"])
        return verify_lane(deposit_id, answer["recipient"], signature, self._on.role_key.public)

    def open_for_verification(self, deposit_id: DepositId) -> bytes:
        """Return the file keys, sealed to the worker."""
        return base64.b64decode(self._lanes.open_for_verification(deposit_id, WORKER)["sealed"])

    def documents_recipient(self, product_id: ProductId) -> str:
        """Return the recipient of a product's documents."""
        return self._documents.documents_recipient(product_id)["recipient"]

    def open_document(self, document_id: DocumentId) -> bytes:
        """Return the file key of a document."""
        return base64.b64decode(self._documents.open_document(document_id)["file_key"])


class PortalWorld:
    """One installation, a client of its application, and what people do with it.

    Args:
        folder: empty.
        changes: placeholders of the agreement's template that are filled otherwise.
        anchors: of its trust root.
    """

    # Further persons of the vendor who sign the agreement; they use the vendor's token.
    more_signers: tuple[str, ...] = ()
    # Whose people may hold their keys elsewhere.
    cast_class: type[AgreementCast] = AgreementCast

    def __init__(
        self,
        folder: Path,
        changes: Mapping[str, str] | None = None,
        anchors: Anchors = NO_ANCHORS,
    ) -> None:
        # The tables' import is what makes the ledger's world create them all.
        self.tables = tables.ROOMS
        self.ledger = LedgerWorld(folder)
        self.ledger.trust_root = replace(self.ledger.trust_root, anchors=anchors)
        self.database, self.clock = self.ledger.database, self.ledger.clock
        self.cast = self.cast_class(changes=changes or {})
        self.scratch = folder / "scratch"
        for name in ("pushes", "uploads", "logs"):
            (self.scratch / name).mkdir(parents=True, exist_ok=True)
        self.blobs = FileBlobStore(folder / "blobs")
        self.worker = age.X25519Identity(hashlib.sha256(b"worker").digest())
        self.keyholder = KeyholderHere(self._grounds(folder / "keys"))
        self.jobs = ListedJobs()
        self.runner = FakeRunner(self.scratch)
        self.rooms = self._rooms()
        self._serving = ExitStack()
        url = self._serving.enter_context(served(make_app(self.rooms)))
        self.client = self._serving.enter_context(
            httpx.Client(base_url=f"{url}/api/v1", trust_env=False, timeout=60)
        )
        self.tokens: dict[str, str] = {}

    @cached_property
    def examiner(self) -> Examiner:
        """The worker."""
        return Examiner(
            Tools(
                database=self.database,
                engine=_Undefined(self.jobs),
                clock=self.clock,
                scribe=Scribe("worker", self.ledger.key("worker"), self.clock),
                signer=self.ledger.key("worker"),
                keyholder=self.keyholder,
                worker=self.worker,
                blobs=self.blobs,
                runner=self.runner,
                scratch=self.scratch / "logs",
                stamp=self._stamp,
                trust_root=self.ledger.trust_root,
            )
        )

    def ask(
        self,
        method: str,
        path: str,
        who: str | None = None,
        *,
        json: object = None,
        content: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send one request below ``/api/v1``.

        Args:
            who: key of :attr:`tokens`, or None for nobody.
        """
        own = {"Authorization": f"Bearer {self.tokens[who]}"} if who else {}
        return self.client.request(
            method, path, json=json, content=content, headers=own | dict(headers or {})
        )

    def do(
        self,
        method: str,
        path: str,
        who: str | None = None,
        *,
        json: object = None,
        content: str | None = None,
    ) -> dict[str, Any]:
        """Send a request that must succeed and return the answer's document.

        Raises:
            ValueError: it did not.
        """
        answer = self.ask(method, path, who, json=json, content=content)
        if not answer.is_success:
            raise ValueError(f"{method} {path}: {answer.status_code} {answer.text}")
        document: dict[str, Any] = answer.json()
        return document

    def set_up(self) -> None:
        """Make the operator, the parties' organisations and a stranger's, and the product."""
        with self.database.writing() as session:
            text = bootstrap.begin(session, self.rooms.scribe, "production", self.clock.now())
        ada = {"one_time_token": text, "name": "Ada", "email": "ada@operator.example"}
        self.tokens["operator"] = self.do("POST", "/setup", json=ada)["token"]
        for slug in self._organisations():
            self.do("POST", "/organisations", "operator", json={"slug": slug, "name": slug})
        self.issue("vendor", self.cast.vendor, Role.VENDOR)
        self.issue("beneficiary", self.cast.beneficiary, Role.BENEFICIARY)
        for number, agent in enumerate(self.cast.agreement.agents, 1):
            self.join(f"agent_{number}", agent.organisation, agent.email, Role.AGENT)
        self.tokens["agent"] = self.tokens["agent_1"]
        product = {"vendor": self.cast.vendor, "slug": self.cast.product, "name": "Ledger"}
        more = {"repositories": ["core"], "refs": ["refs/heads/main"]}
        self.do("POST", "/products", "operator", json=product | more)

    def issue(self, who: str, organisation: str, role: Role, **scope: object) -> str:
        """Have the operator issue a token with every verb of a role; return its id."""
        verbs = sorted(verbs_of(role))
        body = {"organisation": organisation, "role": role, "verbs": verbs} | scope
        issued = self.do("POST", "/tokens", "operator", json=body)
        self.tokens[who] = issued["token"]
        return str(issued["id"])

    def join(self, who: str, organisation: str, email: str, role: Role) -> None:
        """Register a person and issue his token."""
        body = {"name": who, "email": email, "role": role}
        member = self.do("POST", f"/organisations/{organisation}/members", "operator", json=body)
        self.issue(who, organisation, role, member_id=member["id"])

    def file(self, text: str | None = None, who: str = "vendor") -> str:
        """File the agreement and return its id."""
        content = self.cast.text if text is None else text
        return str(self.do("POST", "/agreements", who, content=content)["id"])

    def act(
        self, agreement: str, who: str, act: acts.ActName, subject: Mapping[str, object]
    ) -> dict[str, Any]:
        """Sign an act with a person's own key and send it with the same person's token."""
        return self.do(
            "POST", f"/agreements/{agreement}/acts", who, json=self.signed(who, act, subject)
        )

    def signed(
        self, who: str, act: acts.ActName, subject: Mapping[str, object]
    ) -> dict[str, object]:
        """Return a signed act as it is sent."""
        key = self.cast.signing_key(who)
        payload = acts.build_act(act, dict(subject), key.public, self.clock.now())
        return acts.sign_act(payload, key).to_json()

    def bring_into_force(self) -> str:
        """File, accept, prove, deal and open the canary: everybody's work; return the id."""
        agreement = self.file()
        shown = self.do("GET", f"/agreements/{agreement}", "vendor")
        subject = {name: shown[name] for name in ("version", "text_sha256")}
        people = ("vendor", *self.more_signers, "beneficiary", "agent_1", "agent_2", "agent_3")
        for who in people:
            if who in self.more_signers:
                self.tokens[who] = self.tokens["vendor"]
            self.act(agreement, who, "accept-agreement", {"agreement_id": agreement, **subject})
        self.prove_recipients(agreement, ("beneficiary_primary", "beneficiary_recovery"))
        self.do("POST", f"/agreements/{agreement}/ceremony", "operator")
        self.open_canary(agreement)
        return agreement

    def upload(self, deposit: str, label: str, media: str, content: bytes, **said: str) -> None:
        """Upload one part of a draft; ``label`` is ``kind/name``.

        Raises:
            ValueError: it was refused, with what was answered.
        """
        answer = self.try_uploading(deposit, label, media, content, **said)
        if answer.status_code != httpx.codes.NO_CONTENT:
            raise ValueError(f"upload: {answer.status_code} {answer.text}")

    def try_uploading(
        self, deposit: str, label: str, media: str, content: bytes, **said: str
    ) -> httpx.Response:
        """The same; return the last answer.

        Args:
            said: further metadata.
        """
        kind, _, name = label.partition("/")
        fields = {"kind": kind, "name": name, "media": media} | said
        described = ",".join(
            f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in fields.items()
        )
        headers = {"Upload-Length": str(len(content)), "Upload-Metadata": described}
        created = self.ask(
            "POST", f"/deposits/{deposit}/uploads", "vendor", headers=VERSION_OF_TUS | headers
        )
        if not created.is_success:
            return created
        sent = VERSION_OF_TUS | {
            "Authorization": f"Bearer {self.tokens['vendor']}",
            "Content-Type": "application/offset+octet-stream",
            "Upload-Offset": "0",
        }
        return self.client.patch(
            urljoin(str(created.request.url), created.headers["Location"]),
            content=content,
            headers=sent,
        )

    def draft(self) -> str:
        """Open a draft of the product."""
        return str(self.do("POST", f"{self.product_path}/deposits", "vendor")["id"])

    def deposit(self, files: Mapping[str, bytes] = A_PYTHON_PROJECT) -> str:
        """Deposit one tar of source and return the sealed deposit's id."""
        draft = self.draft()
        self.upload(draft, "source/core", "tar", tar_of(files))
        self.do("POST", f"/deposits/{draft}/finish", "vendor")
        return draft

    def verify(self, deposit: str) -> None:
        """Run every step of the worker's job."""
        deposit_id = DepositId(deposit)
        examination = ExaminationId(self.examiner.queue(deposit_id))
        self.examiner.examine(deposit_id, f"verify-{deposit}", lambda: None)
        self.examiner.publish(examination)
        self.examiner.close(examination)

    @property
    def product_path(self) -> str:
        """The product below ``/api/v1``."""
        return f"/products/{self.cast.vendor}/{self.cast.product}"

    def close(self) -> None:
        """Put everything away."""
        self._serving.close()
        self.rooms.desk.rest()
        self.ledger.close()

    def _organisations(self) -> list[str]:
        agents = {agent.organisation for agent in self.cast.agreement.agents}
        return [self.cast.vendor, self.cast.beneficiary, *sorted(agents), "auditors", "strangers"]

    def prove_recipients(self, agreement: str, holders: Sequence[str]) -> None:
        """Open every canary that is not opened yet with the identities of these holders."""
        path = f"/agreements/{agreement}/recipient-canaries"
        own = {str(one.recipient): one for one in map(self.cast.identity, holders)}
        for canary in self.do("GET", path, "beneficiary")["canaries"]:
            if canary["proven"]:
                continue
            identity = own[canary["recipient"]]
            secret = age.decrypt_bytes(base64.b64decode(canary["file"]), [identity])
            subject = {"recipient": canary["recipient"], "secret": secret.hex()}
            self.act(
                agreement, "beneficiary", "prove-recipient", {"agreement_id": agreement, **subject}
            )

    def open_canary(self, agreement: str) -> None:
        """Let the second agent contribute to the first, who opens."""
        first, second = self.cast.identity("agent_1"), self.cast.identity("agent_2")
        path = f"/agreements/{agreement}"
        dealt = {who: self.do("GET", f"{path}/shares", who) for who in ("agent_1", "agent_2")}
        own, other = (
            open_share_file(base64.b64decode(dealt[who]["shares"][0]["file"]), identity)
            for who, identity in (("agent_1", first), ("agent_2", second))
        )
        sealed = base64.b64encode(seal_canary_share(other, first.recipient)).decode()
        body = {"recipient": str(first.recipient), "file": sealed}
        self.do("POST", f"{path}/canary-shares", "agent_2", json=body)
        sent = self.do("GET", f"{path}/canary-shares?recipient={first.recipient}", "agent_1")
        given = open_canary_share(base64.b64decode(sent["items"][0]["file"]), first)
        canary = base64.b64decode(dealt["agent_1"]["canary_file"])
        secret = combine_canary([own.canary_share, given.canary_share], canary)
        subject = {
            "agreement_id": agreement,
            "epoch": dealt["agent_1"]["epoch"],
            "contributors": sorted((own.index, given.index)),
            "secret": secret.hex(),
        }
        self.act(agreement, "agent_1", "open-canary", subject)

    def key_manager(self, folder: Path) -> KeyManager:
        """Return the key manager of the keyholder; a world may bring another."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InsecureKeyManager)
            return FileKeyManager(folder)

    def continuity(self, folder: Path) -> ContinuityFolder | None:
        """Return the continuity copies; a world that has holders brings them."""
        return None

    def _grounds(self, folder: Path) -> Grounds:
        keys = self.key_manager(folder)
        key = self.ledger.key("keyholder")
        return Grounds(
            database=self.database,
            keys=keys,
            role_key=key,
            scribe=Scribe("keyholder", key, self.clock),
            sequencer=self.ledger.sequencer,
            trusted=self.ledger.keys,
            workers={WORKER: str(self.worker.recipient)},
            clock=self.clock,
            heads=self.ledger.heads,
            stamp=self._stamp,
            continuity=self.continuity(folder.parent),
        )

    @property
    def _stamp(self) -> Stamp:
        return Stamp("Trial Escrow", "production", "0")

    def _rooms(self) -> Rooms:
        key = self.ledger.key("portal")
        scribe = Scribe("portal", key, self.clock)
        intake = Intake(
            database=self.database,
            clock=self.clock,
            scribe=scribe,
            jobs=self.jobs,
            keyholder=self.keyholder,
            keyholder_key=self.ledger.key("keyholder").public,
            agreements_in_force=agreements_in_force,
            receipt_signer=key,
            stamp=self._stamp,
        )
        pushes = self.scratch / "pushes"
        return Rooms(
            environment="production",
            database=self.database,
            clock=self.clock,
            scribe=scribe,
            keyholder=self.keyholder,
            blobs=self.blobs,
            intake=intake,
            desk=UploadDesk(
                self.database, intake, self.blobs, self.scratch / "uploads", self.clock
            ),
            gate=DepositGate(self.database, "production", self.clock, parties_covering),
            reception=PushReception(
                GitIntake(intake, self.blobs),
                pushes,
                GitConfinement.detect(None, pushes, None),
                lambda address, number: f"{PUBLIC_URL}/{address}/deposits/{number}",
            ),
            driver=Driver(self.database, self.keyholder, scribe, self.clock, self.jobs),
            custody=CustodyDriver(self.database, self.keyholder, scribe, self.clock, self.jobs),
            endings=EndingsDriver(self.database, self.keyholder, scribe, self.clock),
            trust_root=self.ledger.trust_root,
            log_scratch=self.scratch / "logs",
            public_url=PUBLIC_URL,
        )


class _Undefined:
    """A list of jobs that takes definitions, too."""

    def __init__(self, listed: ListedJobs) -> None:
        self.enqueue = listed.enqueue

    def define(self, name: str, function: object) -> None:
        """Take a definition that nobody runs."""

    def define_elsewhere(self, name: str) -> None:
        """Take the name of another process's jobs."""
