"""Organisations, members, tokens."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter
from fastapi.responses import Response

from escrow.endings.erasing import erase_member
from escrow.ground.clock import rfc3339
from escrow.ground.database import Session
from escrow.ground.identifiers import AgreementId, MemberId, OrganisationId, ProductId, TokenId
from escrow.parties import bootstrap, organisations, records, tokens
from escrow.parties.errors import MemberUnknown, NotAllowed, OrganisationUnknown, TokenAbsent
from escrow.parties.permissions import Principal, Relation, Verb, check_allowed, is_allowed
from escrow.parties.relations import relation_to_organisation
from escrow.portal.access import Asker, Change, Changing, RoomsNeeded
from escrow.portal.finding import find_product
from escrow.portal.problems import documented, documented_change, documented_open
from escrow.portal.schemas.parties import (
    KeyBody,
    MemberBody,
    OrganisationBody,
    SetupBody,
    TokenBody,
)

router = APIRouter(tags=["parties"])


@router.post("/setup", status_code=201, responses=documented_open(400, 401, 409))
def claim(rooms: RoomsNeeded, body: SetupBody) -> dict[str, object]:
    """Exchange the one-time token of the set-up for the first administrator's own token."""
    with rooms.database.writing() as session:
        member, token, text = bootstrap.claim(
            session,
            rooms.scribe,
            rooms.environment,
            body.one_time_token,
            name=body.name,
            email=body.email,
            now=rooms.clock.now(),
        )
    return {
        "organisation_id": member.organisation_id,
        "member_id": member.id,
        "token_id": token.id,
        "token": text,
    }


@router.get("/whoami", responses=documented())
def whoami(asker: Asker) -> dict[str, object]:
    """Say whom the token speaks for, and how far it reaches."""
    return {
        "token_id": asker.token_id,
        "member_id": asker.member_id,
        "organisation_id": asker.organisation_id,
        "role": asker.role,
        "verbs": sorted(asker.verbs),
        "products": sorted(asker.product_ids) if asker.product_ids is not None else None,
        "agreements": sorted(asker.agreement_ids) if asker.agreement_ids is not None else None,
    }


@router.post("/organisations", status_code=201, responses=documented_change(403))
def create_organisation(change: Changing, body: OrganisationBody) -> Response:
    """Register an organisation."""
    rooms, asker = change.rooms, change.asker

    def work(session: Session) -> dict[str, object]:
        # Only who may administer *any* organisation may add one; nothing is hidden by saying so.
        if not is_allowed(asker, Verb.ADMINISTER, Relation.NONE):
            raise NotAllowed(
                "Only the operator registers organisations.", "Ask whoever runs this service."
            )
        row = organisations.create_organisation(
            session,
            rooms.scribe,
            slug=body.slug,
            name=body.name,
            actor=asker.actor,
            now=rooms.clock.now(),
        )
        return {"id": row.id, "slug": row.slug, "name": row.name}

    return change.perform(work)


@router.get("/organisations", responses=documented(403))
def list_organisations(rooms: RoomsNeeded, asker: Asker) -> dict[str, object]:
    """List the organisations; others than the administrator see their own."""
    with rooms.database.reading() as session:
        rows = records.organisations(session)
        seen = [row for row in rows if _may(asker, Verb.ADMINISTER, row.id)]
    items = [{"id": row.id, "slug": row.slug, "name": row.name} for row in seen]
    return {"items": items, "next": None}


@router.post(
    "/organisations/{slug}/members", status_code=201, responses=documented_change(403, 404)
)
def add_member(change: Changing, slug: str, body: MemberBody) -> Response:
    """Register a person of an organisation, with his public keys."""
    rooms, asker = change.rooms, change.asker

    def work(session: Session) -> dict[str, object]:
        owner = _organisation(session, asker, slug, Verb.ADMINISTER)
        now = rooms.clock.now()
        member = organisations.add_member(
            session,
            rooms.scribe,
            organisation_id=owner,
            name=body.name,
            email=body.email,
            roles=(body.role,),
            actor=asker.actor,
            now=now,
        )
        _register_keys(session, change, MemberId(member.id), body.signing_key, body.age_recipient)
        return {"id": member.id, "organisation": slug, "name": member.name, "role": body.role}

    return change.perform(work)


@router.post("/members/{member_id}/keys", status_code=201, responses=documented_change(403, 404))
def add_keys(change: Changing, member_id: str, body: KeyBody) -> Response:
    """Register a person's public keys; the same again changes nothing."""
    asker = change.asker

    def work(session: Session) -> dict[str, object]:
        member = organisations.find_member(session, MemberId(member_id))
        relation = relation_to_organisation(asker, OrganisationId(member.organisation_id))
        check_allowed(asker, Verb.REGISTER_KEY, relation, MemberUnknown)
        identifier = MemberId(member.id)
        _register_keys(session, change, identifier, body.signing_key, body.age_recipient)
        known = records.keys(session, identifier)
        return {"id": member.id, "keys": [key.public_key for key in known]}

    return change.perform(work)


@router.post("/members/{member_id}/erasure", status_code=200, responses=documented_change(403, 404))
def erase(change: Changing, member_id: str) -> Response:
    """End a person's membership and erase his name and address; what he signed stays verifiable."""
    rooms, asker = change.rooms, change.asker

    def work(session: Session) -> dict[str, object]:
        found, now = records.member(session, MemberId(member_id)), rooms.clock.now()
        if found is None:
            raise MemberUnknown
        relation = relation_to_organisation(asker, OrganisationId(found.organisation_id))
        check_allowed(asker, Verb.ERASE, relation, MemberUnknown)
        own = MemberId(found.id)
        if found.removed_at is None:
            organisations.remove_member(
                session, rooms.scribe, member_id=own, actor=asker.actor, now=now
            )
        erased = erase_member(session, rooms.scribe, own, actor=asker.actor, now=now)
        return {"erased": erased.member_id, "notices": len(erased.notices)}

    return change.perform(work, status=200)


@router.post("/tokens", status_code=201, responses=documented_change(403, 404))
def issue_token(change: Changing, body: TokenBody) -> Response:
    """Issue a token; its text is in this answer and nowhere else."""
    rooms, asker = change.rooms, change.asker

    def work(session: Session) -> dict[str, object]:
        owner = _organisation(session, asker, body.organisation, Verb.ISSUE_TOKEN)
        grant = tokens.Grant(
            organisation_id=owner,
            role=body.role,
            member_id=MemberId(body.member_id) if body.member_id else None,
            verbs=frozenset(body.verbs) if body.verbs else None,
            product_ids=_product_ids(session, asker, body.products),
            agreement_ids=(
                frozenset(map(AgreementId, body.agreements)) if body.agreements else None
            ),
            lifetime=timedelta(days=body.expires_in_days),
            label=body.label,
        )
        tokens.check_grantable(asker, grant)
        row, text = tokens.issue(
            session,
            rooms.scribe,
            rooms.environment,
            grant,
            actor=asker.actor,
            now=rooms.clock.now(),
        )
        return {"id": row.id, "token": text, "expires_at": rfc3339(row.expires_at)}

    return change.perform(work)


@router.get("/tokens", responses=documented(403))
def list_tokens(rooms: RoomsNeeded, asker: Asker) -> dict[str, object]:
    """List the tokens of the organisations that the asker may administer."""
    items = []
    with rooms.database.reading() as session:
        for owner in records.organisations(session):
            if _may(asker, Verb.ISSUE_TOKEN, owner.id):
                rows = records.tokens(session, OrganisationId(owner.id))
                items += [_described(row, owner.slug) for row in rows]
    return {"items": items, "next": None}


@router.delete("/tokens/{token_id}", status_code=200, responses=documented_change(403, 404))
def revoke_token(change: Changing, token_id: str) -> Response:
    """Revoke a token, at once."""
    rooms, asker = change.rooms, change.asker

    def work(session: Session) -> dict[str, object]:
        row = records.token(session, TokenId(token_id))
        if row is None or row.organisation_id is None:
            raise TokenAbsent
        relation = relation_to_organisation(asker, OrganisationId(row.organisation_id))
        check_allowed(asker, Verb.ISSUE_TOKEN, relation, TokenAbsent)
        tokens.revoke(
            session,
            rooms.scribe,
            token_id=TokenId(token_id),
            actor=asker.actor,
            now=rooms.clock.now(),
        )
        return {"revoked": token_id}

    return change.perform(work, status=200)


def _organisation(session: Session, asker: Principal, slug: str, verb: Verb) -> OrganisationId:
    row = organisations.find_organisation(session, slug)
    owner = OrganisationId(row.id)
    check_allowed(
        asker,
        verb,
        relation_to_organisation(asker, owner),
        OrganisationUnknown,
    )
    return owner


def _register_keys(
    session: Session,
    change: Change,
    member_id: MemberId,
    signing_key: str | None,
    age_recipient: str | None,
) -> None:
    kinds: tuple[tuple[organisations.KeyKind, str | None], ...] = (
        ("signing", signing_key),
        ("recipient", age_recipient),
    )
    for kind, key in kinds:
        if key:
            organisations.register_key(
                session,
                change.rooms.scribe,
                member_id=member_id,
                kind=kind,
                public_key=key,
                actor=change.asker.actor,
                now=change.rooms.clock.now(),
            )


def _may(asker: Principal, verb: Verb, organisation_id: str) -> bool:
    relation = relation_to_organisation(asker, OrganisationId(organisation_id))
    return is_allowed(asker, verb, relation)


def _product_ids(
    session: Session, asker: Principal, addresses: list[str] | None
) -> frozenset[ProductId] | None:
    if not addresses:
        return None
    found = []
    for address in addresses:
        vendor, _, product = address.partition("/")
        found.append(find_product(session, asker, vendor, product, Verb.READ_STATUS).id)
    return frozenset(found)


def _described(row: records.Token, organisation: str) -> dict[str, object]:
    moments = {
        "issued_at": row.issued_at,
        "expires_at": row.expires_at,
        "last_used_at": row.last_used_at,
        "revoked_at": row.revoked_at,
    }
    return {
        "id": row.id,
        "organisation": organisation,
        "label": row.label,
        "role": row.role,
        "verbs": row.verbs,
        "products": row.product_ids,
        "agreements": row.agreement_ids,
        **{name: rfc3339(moment) if moment else None for name, moment in moments.items()},
    }
