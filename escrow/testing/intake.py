"""A whole intake in a folder: vendor, product, tokens, ledger, blobs, keyholder; for trials.

Everything is real but the keyholder's process, the register's answer (one standing agreement) and
the job queue (a list).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from escrow.deposits import records
from escrow.deposits.admission import DepositGate
from escrow.deposits.git_confinement import GitConfinement, GitLimits
from escrow.deposits.intake import Intake
from escrow.deposits.products import ProductSpec
from escrow.deposits.push_intake import GitIntake
from escrow.deposits.pushing import PushReception
from escrow.deposits.registration import RegisteredProduct, product_of, register_product
from escrow.deposits.uploads import UploadDesk
from escrow.evidence.statements import Stamp
from escrow.ground.database import Session
from escrow.ground.identifiers import AgreementId, DepositId, OrganisationId, ProductId, TokenId
from escrow.ledger.appending import Scribe
from escrow.parties import tokens
from escrow.parties.organisations import create_organisation
from escrow.parties.permissions import Role
from escrow.parties.records import organisation_by_slug
from escrow.parties.tokens import Grant
from escrow.portal.git import GitReceiveApp
from escrow.portal.tus import TusApp
from escrow.testing.keyholder import KeyholderInside
from escrow.testing.ledgers import LedgerWorld
from escrow.vault.blobs import FileBlobStore
from escrow.vault.sealing import open_payload

Wire = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Wire]]
Send = Callable[[Wire], Awaitable[None]]
AsgiApp = Callable[[Wire, Receive, Send], Awaitable[None]]

ENGINE = ProductSpec(
    slug="engine",
    name="Engine",
    repositories=("core", "tools"),
    refs=("refs/heads/main", "refs/heads/release/*", "refs/tags/*"),
)


@dataclass(frozen=True)
class StandingAgreement:
    """An agreement that is in force because a trial says so."""

    agreement_id: AgreementId
    version: int = 1
    k: int = 2
    n: int = 3
    custody: str = "sealed"
    text: str = "title = 'A trial'\n"


class ListedJobs:
    """A job queue that only writes down."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def enqueue(
        self,
        session: Session,
        name: str,
        key: str,
        arguments: Mapping[str, str],
        *,
        delay_seconds: float = 0,
        partition: str | None = None,
    ) -> None:
        """Write down a job; the same key twice is one job."""
        if key not in self.keys:
            self.keys.append(key)


class IntakeWorld:
    """One installation's intake with the vendor ``acme``, his product and a stranger.

    Args:
        folder: for what lasts; a second world on the same folder is a restart.
        scratch: for what does not; reachable by git's user when there is one.
        product: what ``acme`` registers.
        git_user: the user set aside for git, if any.
        limits: of git.
        blobs: another store than the ordinary one.
    """

    def __init__(
        self,
        folder: Path,
        scratch: Path,
        product: ProductSpec = ENGINE,
        git_user: str | None = None,
        limits: GitLimits | None = None,
        blobs: FileBlobStore | None = None,
    ) -> None:
        self.scratch = scratch
        for name in ("push", "uploads"):
            (scratch / name).mkdir(mode=0o711, parents=True, exist_ok=True)
        self.ledger = LedgerWorld(folder)
        self.database = self.ledger.database
        self.clock = self.ledger.clock
        self.blobs = blobs or FileBlobStore(folder / "blobs")
        self.jobs = ListedJobs()
        self.agreements = [StandingAgreement(AgreementId("agr_1"))]
        self.keyholder = KeyholderInside(
            self.database,
            self.ledger.key("keyholder"),
            Scribe("keyholder", self.ledger.key("keyholder"), self.clock),
            self.ledger.sequencer,
        )
        self.intake = self._intake()
        self.desk = UploadDesk(
            self.database, self.intake, self.blobs, scratch / "uploads", self.clock
        )
        self.gate = DepositGate(self.database, "production", self.clock, lambda *_: ())
        confinement = GitConfinement.detect(git_user, scratch / "push", limits)
        self.reception = PushReception(
            GitIntake(self.intake, self.blobs),
            scratch / "push",
            confinement,
            lambda address, number: f"https://escrow.example/{address}/deposits/{number}",
        )
        self.product = self._registered(product)

    @property
    def product_id(self) -> ProductId:
        """The product's id."""
        return self.product.id

    def app(self, idle_seconds: float = 60.0) -> AsgiApp:
        """Return an application with pushes below ``/git`` and uploads below ``/api/v1``."""
        pushes = GitReceiveApp(self.gate, self.reception, idle_seconds)
        uploads = TusApp(self.gate, self.desk, idle_seconds)

        async def answer(scope: Wire, receive: Receive, send: Send) -> None:
            if scope["path"].startswith("/git/"):
                await pushes({**scope, "root_path": "/git"}, receive, send)
            else:
                await uploads(scope, receive, send)

        return answer

    def token(self, organisation: str = "acme", role: Role = Role.VENDOR) -> str:
        """Return a fresh token of an organisation, which is made when it is missing."""
        with self.database.writing() as session:
            owner = self._organisation(session, organisation)
            _, text = tokens.issue(
                session,
                self._scribe,
                "production",
                Grant(owner, role),
                actor="trial",
                now=self.clock.now(),
            )
        return text

    def draft(self) -> DepositId:
        """Open a deposit that gathers uploads."""
        opened = self.intake.open_deposit(
            self.product_id, via="upload", token_id=TokenId("tok_1"), actor="tok_1"
        )
        return opened.id

    def sealed(self) -> list[records.Deposit]:
        """Return the sealed deposits, newest first."""
        with self.database.reading() as session:
            return records.deposits_of(session, self.product_id, 100)

    def parts(self, deposit_id: str) -> list[records.Part]:
        """Return a deposit's parts."""
        with self.database.reading() as session:
            return records.parts_of(session, DepositId(deposit_id))

    def opened(self, part: records.Part) -> bytes:
        """Return the plaintext of a part that was sent, through the deposit's lane."""
        key = self.keyholder.file_keys(DepositId(part.deposit_id))[part.id]
        with self.blobs.open(part.payload_sha256) as payload:  # type: ignore[arg-type]
            return b"".join(open_payload(payload, key, part.encoding, expected=part))

    def leftovers(self) -> list[Path]:
        """Return what lies in scratch and in staging."""
        places = (self.scratch / "push", self.scratch / "uploads", self.blobs._staging)
        return [path for place in places for path in place.iterdir()]

    def close(self) -> None:
        """Put uploads away and close the database."""
        self.desk.rest()
        self.ledger.close()

    @property
    def _scribe(self) -> Scribe:
        return Scribe("portal", self.ledger.key("portal"), self.clock)

    def _intake(self) -> Intake:
        return Intake(
            database=self.database,
            clock=self.clock,
            scribe=self._scribe,
            jobs=self.jobs,
            keyholder=self.keyholder,
            keyholder_key=self.keyholder.key,
            agreements_in_force=lambda *_: self.agreements,
            receipt_signer=self.ledger.key("portal"),
            stamp=Stamp("Trial Escrow", "production", "0"),
        )

    def _registered(self, spec: ProductSpec) -> RegisteredProduct:
        with self.database.writing() as session:
            owner = self._organisation(session, "acme")
            if records.product_by_slugs(session, owner, spec.slug):
                return product_of(session, owner, spec.slug)
            return register_product(
                session, owner, spec, by="trial", scribe=self._scribe, clock=self.clock
            )

    def _organisation(self, session: Session, slug: str) -> OrganisationId:
        row = organisation_by_slug(session, slug) or create_organisation(
            session,
            self._scribe,
            slug=slug,
            name=slug.title(),
            actor="trial",
            now=self.clock.now(),
        )
        return OrganisationId(row.id)
