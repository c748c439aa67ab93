"""Gather from the tables what an examination is about, as values; decides nothing about it."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from agreements.disclosure import DISCLOSURE_CLASSES, DOCUMENT_KINDS
from escrow.deposits import records as deposits
from escrow.ground.database import Session
from escrow.ground.digests import canonical_json
from escrow.ground.identifiers import DepositId, ProductId
from escrow.register.inforce import AgreementInForce, agreements_in_force
from escrow.vault import records as vault
from escrow.verification import records
from escrow.verification.checks import Required
from escrow.verification.errors import NoSuchDeposit
from escrow.verification.examinations import Waiting
from escrow.verification.judging import Custody, Terms
from escrow.verification.ladder import Level, highest_of
from escrow.verification.parts import DepositFacts, SealedPart
from escrow.verification.report import VENDOR

# A line that is pushed to more often than this while one deposit waits is looked at no further:
# one newer deposit is enough to be overtaken.
_NEWER_LOOKED_AT = 20

# Promise 1: no release line waits longer than this for an examination, whatever is pushed.
LONGEST_PASSED_OVER = timedelta(hours=24)


@dataclass(frozen=True)
class AgreementCase:
    """One agreement that a deposit serves, and what it asks of the deposit.

    Args:
        sealed_parts: ids of the sent parts, of this and earlier deposits, that it has headers for.
    """

    terms: Terms
    materials: tuple[Required, ...]
    sealed_parts: frozenset[str]


@dataclass(frozen=True)
class Case:
    """All that is known before anything is opened.

    Args:
        owed: what the product itself says that it owes.
        has_headers: the lasting headers of every sent part are written.
        longest_wait: the strictest term on being passed over.
        newer: sealed deposits of the product with higher numbers, and their lines.
        proven: ids of the parts behind carried ones whose own deposit was proven buildable.
        is_withdrawn: the deposit is in quarantine, or gone: it is not built any more.
    """

    deposit: DepositFacts
    owed: tuple[Required, ...]
    agreements: tuple[AgreementCase, ...]
    has_headers: bool
    longest_wait: timedelta
    newer: tuple[Waiting, ...] = ()
    proven: frozenset[str] = frozenset()
    is_withdrawn: bool = False

    @property
    def ordered(self) -> Level:
        """The highest level that any agreement orders; the build where none does."""
        return highest_of([one.terms.ordered for one in self.agreements] or [Level.BUILD])

    @property
    def is_client_sealed(self) -> bool:
        """Whether its vendor sealed what he sent himself: all of it, or nothing."""
        return any(one.is_client_sealed and not one.is_carried for one in self.deposit.parts)


def gather_case(session: Session, deposit_id: DepositId) -> Case:
    """Return what is known of a sealed deposit.

    An agreement counts when it has headers for this deposit: one that came into force after the
    deposit was sealed does not.

    Raises:
        NoSuchDeposit: none of this id is sealed.
    """
    row = deposits.deposit_by_id(session, deposit_id)
    if row is None or row.number is None or row.sealed_at is None:
        raise NoSuchDeposit(deposit_id)
    parts = tuple(_part(one) for one in deposits.parts_of(session, deposit_id))
    product_id = ProductId(row.product_id)
    headers = vault.header_records_of(session, deposit_id)
    served = {one.agreement_id for one in headers}
    in_force = [
        one for one in agreements_in_force(session, product_id) if one.agreement_id in served
    ]
    origins = _origins(session, parts)
    covered = _covered_parts(session, {deposit_id, *origins.values()})
    sent = {part.id for part in parts if not part.is_carried}
    return Case(
        deposit=DepositFacts(
            row.id, row.number, row.product_id, row.sealed_at, parts, _release_line(row, parts)
        ),
        owed=tuple(
            Required(one.kind, one.name or None, one.required, one.max_age_days)
            for one in deposits.materials_of(session, product_id)
        ),
        agreements=_agreement_cases(_product_slug(session, product_id), in_force, covered),
        has_headers=sent <= {one.part_id for one in headers},
        longest_wait=_longest_wait(in_force),
        newer=tuple(_newer(session, product_id, row.number)),
        proven=frozenset(
            part_id for part_id, origin in origins.items() if _is_proven(session, origin)
        ),
        is_withdrawn=row.state != "sealed",
    )


def _longest_wait(in_force: Sequence[AgreementInForce]) -> timedelta:
    terms = (timedelta(hours=one.terms.verification.max_age_hours) for one in in_force)
    return min([LONGEST_PASSED_OVER, *terms])


def _newer(session: Session, product_id: ProductId, number: int) -> Iterator[Waiting]:
    for row in deposits.deposits_of(session, product_id, _NEWER_LOOKED_AT):
        if row.number is not None and row.number > number and row.sealed_at is not None:
            parts = tuple(_part(one) for one in deposits.parts_of(session, DepositId(row.id)))
            yield Waiting(row.number, _release_line(row, parts), row.sealed_at)


def _part(row: deposits.Part) -> SealedPart:
    return SealedPart(
        id=row.id,
        kind=row.kind,
        name=row.name,
        media=row.media,
        size_bytes=row.size_bytes,
        encoding=row.encoding,
        sha256=row.sha256,
        payload_sha256=row.payload_sha256,
        as_of=row.as_of,
        carried_from=row.carried_from,
        git=row.git,
        is_client_sealed=row.client_agreement_id is not None,
    )


def _origins(session: Session, parts: tuple[SealedPart, ...]) -> dict[str, DepositId]:
    """Return, for each part behind a carried one, the deposit that it was sent with."""
    behind = [deposits.part_by_id(session, p.carried_from) for p in parts if p.carried_from]
    return {one.id: DepositId(one.deposit_id) for one in behind if one is not None}


def _is_proven(session: Session, deposit_id: DepositId) -> bool:
    report = records.report_of(session, deposit_id, VENDOR)
    return report is not None and report.renews_badge


def _covered_parts(session: Session, deposit_ids: set[DepositId]) -> Mapping[str, frozenset[str]]:
    """Return, by agreement, the sent parts of these deposits that it has headers for."""
    covered: dict[str, set[str]] = defaultdict(set)
    for deposit_id in deposit_ids:
        for header in vault.header_records_of(session, deposit_id):
            covered[header.agreement_id].add(header.part_id)
    return defaultdict(frozenset, {key: frozenset(ids) for key, ids in covered.items()})


def _agreement_cases(
    product_slug: str,
    in_force: Sequence[AgreementInForce],
    covered: Mapping[str, frozenset[str]],
) -> tuple[AgreementCase, ...]:
    smallest_k = min((one.k for one in in_force), default=0)
    return tuple(
        _agreement_case(one, product_slug, smallest_k, covered[one.agreement_id])
        for one in in_force
    )


def _agreement_case(
    row: AgreementInForce,
    product_slug: str,
    smallest_k: int,
    sealed_parts: frozenset[str],
) -> AgreementCase:
    text = row.terms
    classes: dict[str, frozenset[str]] = {
        reader: frozenset(kind for kind in DOCUMENT_KINDS if text.may_see(kind, reader))
        for reader in DISCLOSURE_CLASSES
    }
    custody = Custody(row.custody, row.k, row.n, smallest_k)
    ordered = Level(text.verification.level)
    materials = tuple(
        Required(one.kind, one.name, one.required, one.max_age_days)
        for product in text.products
        if product.product == product_slug
        for one in product.materials
    )
    terms = Terms(row.agreement_id, row.version, ordered, custody, classes)
    return AgreementCase(terms, materials, sealed_parts)


def _product_slug(session: Session, product_id: ProductId) -> str:
    product = deposits.product_by_id(session, product_id)
    return product.slug if product else ""


def _release_line(row: deposits.Deposit, parts: tuple[SealedPart, ...]) -> str | None:
    """Return the digest of repository and refs that a push brought; uploads have no line.

    Only a push to exactly the same refs overtakes, since anything else may be another release.
    """
    refs = sorted(
        ref for part in parts if part.git and not part.is_carried for ref in _refs_of(part.git)
    )
    if row.via != "git" or not refs:
        return None
    return hashlib.sha256(canonical_json([row.repository_id or "", *refs])).hexdigest()


def _refs_of(git: Mapping[str, object]) -> list[str]:
    refs = git.get("refs")
    return [str(ref) for ref in refs] if isinstance(refs, dict) else []
