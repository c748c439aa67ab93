"""Agreements: filed, read, and acted upon by signed envelopes."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from fastapi.responses import PlainTextResponse, Response
from starlette.concurrency import run_in_threadpool

from agreements.parsing import check_agreement
from escrow.deposits import records as deposits
from escrow.evidence.dsse import Envelope
from escrow.ground.clock import rfc3339
from escrow.ground.database import Session
from escrow.ground.errors import InvalidInput
from escrow.ground.identifiers import AgreementId, OrganisationId, ProductId
from escrow.parties.permissions import Principal, Relation, Role, Verb, check_allowed
from escrow.portal.access import Asker, Changing, Number, RoomsNeeded
from escrow.portal.finding import check_agreement_allowed
from escrow.portal.problems import documented, documented_change
from escrow.portal.schemas.agreements import described_recipients
from escrow.register.acceptance import take_act
from escrow.register.filing import Filer, file_agreement, file_amendment
from escrow.register.proofs import alarms_of
from escrow.register.reading import (
    AgreementView,
    changes_of,
    list_agreements,
    parties_of,
    read_version,
    text_of,
    view_of,
)

router = APIRouter(tags=["agreements"])

TOML = {"content": {"application/toml": {"schema": {"type": "string"}}}, "required": True}


class AgreementNotText(InvalidInput):
    """The body of a filing is no UTF-8 text."""

    code = "agreements.not-text"


@router.post(
    "/agreements/check",
    responses=documented(400),
    openapi_extra={"requestBody": TOML},
)
async def check(request: Request, _: Asker) -> dict[str, object]:
    """Check an agreement without filing it; every problem names its line and the remedy."""
    problems = check_agreement(_text(await request.body()))
    return {
        "problems": [
            {
                "code": one.code,
                "line": one.line,
                "path": one.path,
                "reason": one.reason,
                "remedy": one.remedy,
                "severity": one.severity,
            }
            for one in problems
        ]
    }


@router.post(
    "/agreements",
    status_code=201,
    responses=documented_change(403, 404),
    openapi_extra={"requestBody": TOML},
)
async def file(request: Request, change: Changing, amends: str | None = None) -> Response:
    """File an agreement, or a new version of one; its text is hashed and kept for ever."""
    text = _text(await request.body())
    return await run_in_threadpool(_file, change, text, amends)


@router.get("/agreements", responses=documented())
def list_all(rooms: RoomsNeeded, asker: Asker) -> dict[str, object]:
    """List the agreements that the asker is a party of."""
    with rooms.database.reading() as session:
        views = list_visible(session, asker)
    return {"items": [_described(view) for view in views], "next": None}


@router.get("/agreements/{agreement_id}", responses=documented(403, 404))
def show(rooms: RoomsNeeded, asker: Asker, agreement_id: str) -> dict[str, object]:
    """Show where an agreement stands, what is still missing, and what would go wrong."""
    with rooms.database.reading() as session:
        found = check_agreement_allowed(session, asker, agreement_id, Verb.READ_AGREEMENT)
        view = view_of(session, found)
        alarms = alarms_of(session, found, rooms.clock.now())
        return _described(view) | {"alarms": alarms}


@router.get(
    "/agreements/{agreement_id}/text",
    responses=documented(403, 404),
    response_class=PlainTextResponse,
)
def text(
    rooms: RoomsNeeded, asker: Asker, agreement_id: str, version: Number | None = None
) -> PlainTextResponse:
    """Return the exact text of a version, the newest by default."""
    with rooms.database.reading() as session:
        found = check_agreement_allowed(session, asker, agreement_id, Verb.READ_AGREEMENT)
        return PlainTextResponse(text_of(session, found, version), media_type="application/toml")


@router.get("/agreements/{agreement_id}/recipients", responses=documented(403, 404))
def recipients(rooms: RoomsNeeded, asker: Asker, agreement_id: str) -> dict[str, object]:
    """Show which recipients of the beneficiaries count now, and every change of one."""
    with rooms.database.reading() as session:
        found = check_agreement_allowed(session, asker, agreement_id, Verb.READ_AGREEMENT)
        view = view_of(session, found)
        terms, _ = read_version(session, found, view.in_force_version)
        return described_recipients(terms, changes_of(session, found, terms), rooms.clock.now())


@router.post(
    "/agreements/{agreement_id}/acts", status_code=201, responses=documented_change(403, 404)
)
def act(
    change: Changing,
    agreement_id: str,
    envelope: Annotated[dict[str, Any], Body(description="A DSSE envelope.")],
) -> Response:
    """Take an act that a person signed with the key that the agreement pins for him."""
    rooms, asker = change.rooms, change.asker

    def work(session: Session) -> dict[str, object]:
        found = check_agreement_allowed(session, asker, agreement_id, Verb.ACCEPT)
        signed = Envelope.from_json(envelope)
        root_sha256 = rooms.trust_root.sha256()
        view = take_act(
            session,
            found,
            signed,
            rooms.scribe,
            clock=rooms.clock,
            trust_root_sha256=root_sha256,
        )
        return _described(view)

    return change.perform(work)


def list_visible(session: Session, asker: Principal) -> list[AgreementView]:
    """Return the agreements that an asker is a party of, or may look at."""
    if asker.role is Role.OPERATOR:
        return list_agreements(session)
    if asker.role is Role.AGENT:
        return list_agreements(session, member_id=asker.member_id)
    if asker.role is Role.AUDITOR:
        named = asker.agreement_ids or frozenset()
        return [one for one in list_agreements(session) if one.agreement_id in named]
    return list_agreements(session, organisation_id=asker.organisation_id)


def _file(change: Changing, text: str, amends: str | None) -> Response:
    rooms, asker = change.rooms, change.asker
    by = Filer(asker.actor, None if asker.role is Role.OPERATOR else asker.organisation_id)
    shared = {"clock": rooms.clock, "find_product": _find_product}

    def work(session: Session) -> dict[str, object]:
        if amends is not None:
            found = check_agreement_allowed(session, asker, amends, Verb.FILE_AGREEMENT)
            return _described(
                file_amendment(session, found, text, by, rooms.scribe, **shared)  # type: ignore[arg-type]
            )
        _check_may_file(asker)
        return _described(file_agreement(session, text, by, rooms.scribe, **shared))  # type: ignore[arg-type]

    return change.perform(work)


def _check_may_file(asker: Principal) -> None:
    """Whoever files must be named in the text; the filing itself checks that."""
    unbound = asker.product_ids is None and asker.agreement_ids is None
    relation = Relation.SAME_ORGANISATION if unbound else Relation.NONE
    check_allowed(asker, Verb.FILE_AGREEMENT, relation)


def _find_product(session: Session, organisation_id: OrganisationId, slug: str) -> ProductId | None:
    row = deposits.product_by_slugs(session, organisation_id, slug)
    return None if row is None else ProductId(row.id)


def _described(view: AgreementView) -> dict[str, object]:
    return {
        "id": view.agreement_id,
        "title": view.title,
        "version": view.version,
        "text_sha256": view.text_sha256,
        "custody": view.custody,
        "k": view.k,
        "n": view.n,
        "standing": view.standing,
        "in_force_version": view.in_force_version,
        "filed_at": rfc3339(view.filed_at),
        "in_force_at": rfc3339(view.in_force_at) if view.in_force_at else None,
        "missing": [{"need": one.need, "what": one.what, "who": one.who} for one in view.missing],
    }


def products_of(session: Session, agreement_id: AgreementId) -> list[ProductId]:
    """Return the products that an agreement covers."""
    return sorted(parties_of(session, agreement_id).product_ids)


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise AgreementNotText(
            "The agreement is no UTF-8 text.", "Send the TOML file as it is."
        ) from None
