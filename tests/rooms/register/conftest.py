"""A world of one agreement: real ledger and database, registered parties, everybody's keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import select

from agreements.terms import Agreement
from escrow.evidence.acts import ActName, build_act, sign_act
from escrow.evidence.dsse import Envelope
from escrow.ground.database import Session
from escrow.ground.identifiers import AgreementId, OrganisationId, ProductId
from escrow.ground.signatures import SigningKey
from escrow.ledger.appending import Scribe
from escrow.ledger.records import EntryRow
from escrow.parties import organisations
from escrow.parties.permissions import Role
from escrow.register import filing, reading
from escrow.register.acceptance import take_act
from escrow.register.reading import AgreementView
from escrow.register.recipients import canaries_of
from escrow.register.subjects import (
    acceptance_subject,
    canary_opening_subject,
    recipient_proof_subject,
)
from escrow.testing.agreements import AgreementCast
from escrow.testing.ledgers import LedgerWorld
from escrow.vault import records as vault_records
from escrow.vault.age import decrypt_bytes
from escrow.vault.ceremony import combine_canary, open_share_file
from escrow.vault.dealing import ShareHolder, hold_ceremony

OPERATOR = filing.Filer("tok_operator", None)
EVERYBODY = ("vendor", "beneficiary", "agent_1", "agent_2", "agent_3")
PRODUCT = ProductId("prd_ledger_core")


class RegisterWorld:
    """One session that stays open; each method is what one person does."""

    def __init__(self, ledger: LedgerWorld, session: Session) -> None:
        self.ledger = ledger
        self.session = session
        self.clock = ledger.clock
        self.scribe = Scribe("portal", ledger.key("portal"), ledger.clock)
        self.cast = AgreementCast()
        self.products = {"ledger-core": PRODUCT}
        self.organisations: dict[str, OrganisationId] = {}
        self.register_parties(self.cast.agreement)
        self.vendors = {self.organisations["northwind"]}

    def register_parties(self, terms: Agreement) -> None:
        """Register every organisation, and every agent as a member of his."""
        for slug in (terms.vendor.organisation, *(one.organisation for one in terms.beneficiaries)):
            self.organisation(slug)
        for agent in terms.agents:
            self.member(self.organisation(agent.organisation), agent.email)

    def organisation(self, slug: str) -> OrganisationId:
        if slug not in self.organisations:
            made = organisations.create_organisation(
                self.session, self.scribe, slug=slug, name=slug, actor="x", now=self.clock.now()
            )
            self.organisations[slug] = OrganisationId(made.id)
        return self.organisations[slug]

    def member(self, organisation_id: OrganisationId, email: str) -> None:
        organisations.add_member(
            self.session,
            self.scribe,
            organisation_id=organisation_id,
            name="Somebody",
            email=email,
            roles=[Role.AGENT],
            actor="x",
            now=self.clock.now(),
        )

    def find_product(
        self, _: Session, organisation_id: OrganisationId, slug: str
    ) -> ProductId | None:
        """Answer as the intake does: the vendor's products by short name."""
        return self.products.get(slug) if organisation_id in self.vendors else None

    def file(self, text: str | None = None, by: filing.Filer = OPERATOR) -> AgreementView:
        return filing.file_agreement(
            self.session,
            self.cast.text if text is None else text,
            by,
            self.scribe,
            clock=self.clock,
            find_product=self.find_product,
        )

    def amend(
        self, agreement_id: AgreementId, text: str, by: filing.Filer = OPERATOR
    ) -> AgreementView:
        return filing.file_amendment(
            self.session,
            agreement_id,
            text,
            by,
            self.scribe,
            clock=self.clock,
            find_product=self.find_product,
        )

    def sign(self, key: SigningKey, act: ActName, subject: dict[str, object]) -> Envelope:
        return sign_act(build_act(act, subject, key.public, self.clock.now()), key)

    def take(self, agreement_id: AgreementId, envelope: Envelope) -> AgreementView:
        return take_act(self.session, agreement_id, envelope, self.scribe, clock=self.clock)

    def accept(self, view: AgreementView, who: str) -> AgreementView:
        subject = acceptance_subject(view.agreement_id, view.version, view.text_sha256)
        envelope = self.sign(self.cast.signing_key(who), "accept-agreement", subject)
        return self.take(view.agreement_id, envelope)

    def accept_by_all(self, view: AgreementView) -> AgreementView:
        for who in EVERYBODY:
            view = self.accept(view, who)
        return view

    def open_recipient_canary(self, agreement_id: AgreementId, kind: str) -> bytes:
        (canary,) = [one for one in canaries_of(self.session, agreement_id) if one.kind == kind]
        return decrypt_bytes(canary.canary_file, [self.cast.identity(f"beneficiary_{kind}")])

    def prove(
        self, agreement_id: AgreementId, kind: str, who: str = "beneficiary"
    ) -> AgreementView:
        secret = self.open_recipient_canary(agreement_id, kind)
        recipient = str(self.cast.identity(f"beneficiary_{kind}").recipient)
        subject = recipient_proof_subject(agreement_id, recipient, secret)
        return self.take(
            agreement_id, self.sign(self.cast.signing_key(who), "prove-recipient", subject)
        )

    def hold_ceremony(self, agreement_id: AgreementId) -> None:
        """Deal as the keyholder does."""
        terms, version = reading.read_version(self.session, agreement_id)
        holders = [ShareHolder(one.signing_key, one.share_recipient) for one in terms.agents]
        hold_ceremony(
            self.session, agreement_id, version, terms.sealing.k, holders, self.clock.now()
        )

    def combine(self, agreement_id: AgreementId, *who: str) -> tuple[int, list[int], bytes]:
        """Open the newest epoch's canary with these agents' shares, in their own clients."""
        epoch = vault_records.newest_epoch(self.session, agreement_id)
        assert epoch is not None
        dealt = vault_records.shares_of(self.session, agreement_id, epoch.epoch)
        opened = []
        for agent in who:
            identity = self.cast.identity(agent)
            (row,) = [one for one in dealt if one.share_recipient == str(identity.recipient)]
            opened.append(open_share_file(row.share_file, identity))
        secret = combine_canary([one.canary_share for one in opened], epoch.canary_file)
        return epoch.epoch, [one.index for one in opened], secret

    def open_canary(
        self, agreement_id: AgreementId, *who: str, signer: str | None = None
    ) -> AgreementView:
        subject = canary_opening_subject(agreement_id, *self.combine(agreement_id, *who))
        key = self.cast.signing_key(signer or who[0])
        return self.take(agreement_id, self.sign(key, "open-canary", subject))

    def bring_into_force(self, text: str | None = None) -> AgreementView:
        view = self.accept_by_all(self.file(text))
        self.prove(view.agreement_id, "primary")
        self.prove(view.agreement_id, "recovery")
        self.hold_ceremony(view.agreement_id)
        return self.open_canary(view.agreement_id, "agent_1", "agent_2")

    def events(self) -> list[str]:
        rows = self.session.exec(select(EntryRow).order_by(EntryRow.number))
        return [row.type for row in rows if row.type.startswith("register:")]

    def entries(self) -> bytes:
        return b"\n".join(row.entry for row in self.session.exec(select(EntryRow)))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[RegisterWorld]:
    ledger = LedgerWorld(tmp_path)
    with ledger.database.writing() as session:
        yield RegisterWorld(ledger, session)
    ledger.close()
