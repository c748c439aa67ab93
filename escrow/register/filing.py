"""File an agreement or a new version of one: checked, hashed, kept for ever, logged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from agreements.errors import AgreementInvalid
from agreements.parsing import parse_agreement
from agreements.terms import Agreement
from escrow.ground.clock import Clock
from escrow.ground.database import Session
from escrow.ground.identifiers import (
    AgreementId,
    MemberId,
    OrganisationId,
    ProductId,
    new_id,
)
from escrow.ledger.appending import Scribe
from escrow.ledger.events import NewEvent, Stream
from escrow.parties import records as parties_records
from escrow.register import records
from escrow.register.errors import (
    AgentUnknown,
    AgreementTextInvalid,
    AgreementUnknown,
    FilerNoParty,
    NothingChanged,
    OrganisationUnknown,
    ProductUnknown,
    RecipientUnusable,
    VendorChanged,
)
from escrow.register.governing import FILED
from escrow.register.reading import AgreementView, view_of
from escrow.register.recipients import seal_canaries
from escrow.vault.age import encrypt_bytes, parse_recipient
from escrow.vault.errors import BadRecipient

FindProduct = Callable[[Session, OrganisationId, str], ProductId | None]
"""Finds a vendor's product by its short name; products live in a higher room."""


@dataclass(frozen=True)
class Filer:
    """Who files.

    Args:
        actor: id of the acting member or token, for the log.
        organisation_id: for which organisation; None for the operator, who may file for others.
    """

    actor: str
    organisation_id: OrganisationId | None


@dataclass(frozen=True)
class _Named:
    """Everything that a text names, found in the register."""

    vendor_id: OrganisationId
    beneficiary_ids: tuple[OrganisationId, ...]
    agents: tuple[tuple[OrganisationId, MemberId], ...]
    product_ids: tuple[ProductId, ...]


@dataclass(frozen=True)
class _Filing:
    """A text that may be filed, by whom and when."""

    text: str
    terms: Agreement
    named: _Named
    by: Filer
    at: datetime


def file_agreement(
    session: Session,
    text: str,
    by: Filer,
    scribe: Scribe,
    *,
    clock: Clock,
    find_product: FindProduct,
) -> AgreementView:
    """File a new agreement: version 1, a draft that binds nobody yet.

    Raises:
        AgreementTextInvalid: the text has errors, each with its line.
        OrganisationUnknown, AgentUnknown, ProductUnknown: it names somebody or something unknown.
        RecipientUnusable: an age key is well formed and still no key.
        FilerNoParty: the filer is neither a party nor the operator.
    """
    filing = _examine(session, _parse(text), text, by, clock.now(), find_product)
    agreement_id = AgreementId(new_id("agr"))
    row = records.AgreementRow(
        id=agreement_id,
        vendor_organisation_id=filing.named.vendor_id,
        filed_by=by.actor,
        filed_at=filing.at,
    )
    records.add(session, row)
    return _file_version(session, agreement_id, 1, filing, scribe)


def file_amendment(
    session: Session,
    agreement_id: AgreementId,
    text: str,
    by: Filer,
    scribe: Scribe,
    *,
    clock: Clock,
    find_product: FindProduct,
) -> AgreementView:
    """File a new version; the version in force stands until the new one is in force.

    A version that waits for signatures is superseded by it and can no longer be signed.

    Raises:
        AgreementUnknown: no such agreement.
        NothingChanged: this very text is a version already.
        VendorChanged: the vendor is another.
        AgreementTextInvalid, OrganisationUnknown, AgentUnknown, ProductUnknown,
        RecipientUnusable, FilerNoParty: as in :func:`file_agreement`.
    """
    agreement = records.agreement_by_id(session, agreement_id)
    newest = records.newest_version(session, agreement_id)
    if agreement is None or newest is None:
        raise AgreementUnknown
    terms = _parse(text)
    same = records.version_with_text(session, agreement_id, terms.text_sha256)
    if same is not None:
        raise NothingChanged(same.version)
    filing = _examine(session, terms, text, by, clock.now(), find_product)
    if filing.named.vendor_id != agreement.vendor_organisation_id:
        raise VendorChanged
    return _file_version(session, agreement_id, newest.version + 1, filing, scribe)


def _examine(
    session: Session,
    terms: Agreement,
    text: str,
    by: Filer,
    at: datetime,
    find_product: FindProduct,
) -> _Filing:
    named = _find_named(session, terms, find_product)
    # Agents keep the keys and propose no terms; so they file nothing.
    if by.organisation_id not in (None, named.vendor_id, *named.beneficiary_ids):
        raise FilerNoParty
    return _Filing(text, terms, named, by, at)


def _parse(text: str) -> Agreement:
    try:
        return parse_agreement(text)
    except AgreementInvalid as invalid:
        raise AgreementTextInvalid(invalid) from None


def _find_named(session: Session, terms: Agreement, find_product: FindProduct) -> _Named:
    vendor_id = _organisation_id(session, terms.vendor.organisation)
    _check_recipients(terms)
    return _Named(
        vendor_id=vendor_id,
        beneficiary_ids=tuple(
            _organisation_id(session, party.organisation) for party in terms.beneficiaries
        ),
        agents=tuple(
            _agent_ids(session, agent.organisation, agent.email) for agent in terms.agents
        ),
        product_ids=tuple(
            _product_id(session, vendor_id, one.vendor, one.product, find_product)
            for one in terms.products
        ),
    )


def _check_recipients(terms: Agreement) -> None:
    """Seal nothing to every age key: filing, not a release, is the time to learn it is none."""
    of_agents = [agent.share_recipient for agent in terms.agents]
    of_parties = [one.recipient for party in terms.beneficiaries for one in party.recipients]
    for text in (*of_agents, *of_parties):
        try:
            encrypt_bytes(b"", [parse_recipient(text)])
        except (ValueError, BadRecipient):
            # A point of low order has the right form and would let everybody open.
            raise RecipientUnusable(text) from None


def _organisation_id(session: Session, slug: str) -> OrganisationId:
    organisation = parties_records.organisation_by_slug(session, slug)
    if organisation is None:
        raise OrganisationUnknown(slug)
    return OrganisationId(organisation.id)


def _agent_ids(session: Session, slug: str, email: str) -> tuple[OrganisationId, MemberId]:
    organisation_id = _organisation_id(session, slug)
    member = parties_records.member_by_email(session, organisation_id, email.lower())
    if member is None or member.removed_at is not None:
        raise AgentUnknown(slug, email)
    return organisation_id, MemberId(member.id)


def _product_id(
    session: Session,
    vendor_id: OrganisationId,
    vendor: str,
    product: str,
    find_product: FindProduct,
) -> ProductId:
    product_id = find_product(session, vendor_id, product)
    if product_id is None:
        raise ProductUnknown(vendor, product)
    return product_id


def _file_version(
    session: Session, agreement_id: AgreementId, version: int, filing: _Filing, scribe: Scribe
) -> AgreementView:
    terms = filing.terms
    row = records.VersionRow(
        agreement_id=agreement_id,
        version=version,
        text=filing.text,
        text_sha256=terms.text_sha256,
        title=terms.title,
        custody=terms.custody,
        k=terms.sealing.k,
        n=len(terms.agents),
        filed_by=filing.by.actor,
        filed_at=filing.at,
    )
    records.add(session, row)
    records.add(session, *_rows_of(agreement_id, version, filing.named))
    seal_canaries(session, agreement_id, terms, filing.at)
    data: dict[str, object] = {
        "version": version,
        "text_sha256": terms.text_sha256,
        "k": row.k,
        "n": row.n,
        "custody": row.custody,
        "product_ids": list(filing.named.product_ids),
    }
    stream = Stream("agreement", agreement_id)
    scribe.append(session, NewEvent(stream, FILED, filing.by.actor, data))
    return view_of(session, agreement_id, version)


def _rows_of(
    agreement_id: AgreementId, version: int, named: _Named
) -> list[records.PartyRow | records.ProductRow]:
    people = [
        ("vendor", named.vendor_id, ""),
        *(("beneficiary", one, "") for one in named.beneficiary_ids),
        *(("agent", organisation, member) for organisation, member in named.agents),
    ]
    parties = [
        records.PartyRow(
            agreement_id=agreement_id,
            version=version,
            role=role,
            organisation_id=organisation_id,
            member_id=member_id,
        )
        for role, organisation_id, member_id in people
    ]
    products = [
        records.ProductRow(agreement_id=agreement_id, version=version, product_id=one)
        for one in named.product_ids
    ]
    return [*parties, *products]
