"""The register for those who ask: views, texts, and who stands in an agreement.

Whether the asker may see it is decided above with :func:`parties_of`; every read of a text checks
that it still has the digest under which it was filed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from agreements.errors import AgreementInvalid
from agreements.parsing import reread_agreement
from agreements.terms import Agreement, Custody
from escrow.ground.database import Session
from escrow.ground.digests import Sha256Hex, sha256_hex
from escrow.ground.identifiers import AgreementId, MemberId, OrganisationId, ProductId
from escrow.ledger.events import Event, Stream
from escrow.ledger.reading import PAGE_ENTRIES, read_stream
from escrow.parties.relations import AgreementParties
from escrow.register import records
from escrow.register.ceremony import key_setup_of
from escrow.register.changes import RecipientChange, fold_changes
from escrow.register.errors import AgreementTextTampered, AgreementUnknown
from escrow.register.status import Missing, Progress, Standing, status_of

# Terms are values that nobody can change; an installation has few agreements at work at a time.
_KEPT_TERMS = 32


@dataclass(frozen=True)
class AgreementView:
    """One version of an agreement and where it stands.

    Attributes:
        in_force_version: the version that governs now, maybe an older one; None before the first.
    """

    agreement_id: AgreementId
    version: int
    title: str
    text_sha256: Sha256Hex
    custody: Custody
    k: int
    n: int
    standing: Standing
    missing: tuple[Missing, ...]
    filed_at: datetime
    in_force_at: datetime | None
    in_force_version: int | None


def view_of(
    session: Session, agreement_id: AgreementId, version: int | None = None
) -> AgreementView:
    """Return one version, the newest when none is named.

    Raises:
        AgreementUnknown: no such agreement or version.
        AgreementTextTampered: the stored text lost its digest.
    """
    row = _row(session, agreement_id, version)
    in_force = records.version_in_force(session, agreement_id)
    terms = terms_of_row(row)
    status = status_of(terms, _progress(session, row, in_force))
    return AgreementView(
        agreement_id=agreement_id,
        version=row.version,
        title=row.title,
        text_sha256=Sha256Hex(row.text_sha256),
        custody=terms.custody,
        k=row.k,
        n=row.n,
        standing=status.standing,
        missing=status.missing,
        filed_at=row.filed_at,
        in_force_at=row.in_force_at,
        in_force_version=in_force.version if in_force else None,
    )


def read_version(
    session: Session, agreement_id: AgreementId, version: int | None = None
) -> tuple[Agreement, int]:
    """Return the terms of one version, the newest when none is named, and its number.

    Raises:
        AgreementUnknown, AgreementTextTampered: as :func:`view_of`.
    """
    row = _row(session, agreement_id, version)
    return terms_of_row(row), row.version


def text_of(session: Session, agreement_id: AgreementId, version: int | None = None) -> str:
    """Return the exact text of one version, the newest when none is named.

    Raises:
        AgreementUnknown, AgreementTextTampered: as :func:`view_of`.
    """
    return _checked_text(_row(session, agreement_id, version))


def list_agreements(
    session: Session,
    *,
    organisation_id: OrganisationId | None = None,
    member_id: MemberId | None = None,
) -> list[AgreementView]:
    """Return the newest version of every agreement that an organisation or an agent stands in.

    Args:
        organisation_id: a vendor's, beneficiary's or agents' organisation.
        member_id: an agent; both None lists everything, for the operator.
    """
    found = records.agreements_naming(session, organisation_id=organisation_id, member_id=member_id)
    return [view_of(session, agreement_id) for agreement_id in found]


def parties_of(session: Session, agreement_id: AgreementId) -> AgreementParties:
    """Return who stands in an agreement: in its version in force, and in the newest.

    Raises:
        AgreementUnknown: no such agreement.
    """
    owned = records.ownership_of(session, agreement_id)
    if owned is None:
        raise AgreementUnknown
    versions = {owned.newest, owned.in_force or owned.newest}
    rows = records.parties_of(session, agreement_id, versions)
    return AgreementParties(
        agreement_id=agreement_id,
        product_ids=frozenset(records.products_of(session, agreement_id, versions)),
        vendor_organisation_id=OrganisationId(owned.vendor_organisation_id),
        beneficiary_organisation_ids=frozenset(
            OrganisationId(row.organisation_id) for row in rows if row.role == "beneficiary"
        ),
        agent_member_ids=frozenset(MemberId(row.member_id) for row in rows if row.role == "agent"),
    )


def parties_covering(session: Session, product_id: ProductId) -> tuple[AgreementParties, ...]:
    """Return the parties of every agreement, in force or being made, that names a product."""
    found = (parties_of(session, one) for one in records.agreements_covering(session, product_id))
    return tuple(parties for parties in found if product_id in parties.product_ids)


def changes_of(
    session: Session, agreement_id: AgreementId, terms: Agreement
) -> tuple[RecipientChange, ...]:
    """Return the changes of recipients under a text, as the rows of the ledger have them.

    Raises:
        ChangeBroken: one holds no act of a person who may do it.
        EntryMalformed: a row holds no entry.
    """
    pinned = {one.recipient for party in terms.beneficiaries for one in party.recipients}
    if {one.recipient for one in records.canaries_of(session, agreement_id)} <= pinned:
        # Every change has had a canary: so there is none, and a long stream need not be read.
        return ()
    stream, found = Stream("agreement", agreement_id), list[Event]()
    while page := read_stream(session, stream, from_sequence=len(found)):
        found += [one.event for one in page]
        if len(page) < PAGE_ENTRIES:
            break
    return fold_changes(found, terms)


def _row(session: Session, agreement_id: AgreementId, version: int | None) -> records.VersionRow:
    row = (
        records.newest_version(session, agreement_id)
        if version is None
        else records.version_of(session, agreement_id, version)
    )
    if row is None:
        raise AgreementUnknown
    return row


def _checked_text(row: records.VersionRow) -> str:
    if sha256_hex(row.text.encode()) != row.text_sha256:
        raise AgreementTextTampered(row.agreement_id, row.version)
    return row.text


def terms_of_row(row: records.VersionRow) -> Agreement:
    """Return the terms of a stored version.

    Raises:
        AgreementTextTampered: the stored text lost its digest.
    """
    text = _checked_text(row)
    try:
        return _reread(text)
    except AgreementInvalid:
        # It was filed without an error; so either the digest was changed too, or this program
        # does not know the format any more. Both need a person.
        raise AgreementTextTampered(row.agreement_id, row.version) from None


@lru_cache(maxsize=_KEPT_TERMS)
def _reread(text: str) -> Agreement:
    return reread_agreement(text)


def _progress(
    session: Session, row: records.VersionRow, in_force: records.VersionRow | None
) -> Progress:
    agreement_id = AgreementId(row.agreement_id)
    newest = records.newest_version(session, agreement_id)
    is_newest = newest is not None and newest.version == row.version
    governs = in_force is not None and in_force.version == row.version
    canaries = records.canaries_of(session, agreement_id)
    accepted = records.acceptances_of(session, agreement_id, row.version)
    return Progress(
        accepted_by=frozenset(one.signing_key for one in accepted),
        proven_recipients=frozenset(one.recipient for one in canaries if one.proven_at),
        key_setup=key_setup_of(session, agreement_id),
        is_in_force=governs,
        is_superseded=not governs and not is_newest,
        governing=terms_of_row(in_force) if in_force and not governs else None,
    )
