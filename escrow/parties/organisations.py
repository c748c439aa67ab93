"""Organisations, their members and the members' public keys."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime
from typing import Literal

from escrow.ground.database import Session
from escrow.ground.digests import sha256_hex
from escrow.ground.identifiers import MemberId, OrganisationId, check_slug, new_id
from escrow.ground.signatures import PublicKey
from escrow.ledger.appending import Scribe
from escrow.parties import events, records
from escrow.parties.errors import (
    BadEmail,
    BadGrant,
    BadName,
    BadRecipient,
    KeyOfOther,
    MemberExists,
    MemberUnknown,
    OrganisationExists,
    OrganisationUnknown,
)
from escrow.parties.permissions import Role
from escrow.parties.records import Member, MemberKey, Organisation

KeyKind = Literal["signing", "recipient"]

# RFC 5321, section 4.5.3.1: an address is no longer than a path of 256 less its brackets.
MAX_EMAIL_CHARS = 254
MAX_NAME_CHARS = 200

# One '@', no blanks, a dot in the host: what goes further only a delivered mail can tell.
_WORD = r"[^@\s\x00-\x1f\x7f<>()\",;:\\]"
_EMAIL = re.compile(rf"{_WORD}{{1,64}}@{_WORD}+\.[^@\s.]+")

# Bech32 as age writes it; the vault parses it before anything is sealed to it.
_RECIPIENT = re.compile(r"age1(?:pq1)?[02-9ac-hj-np-z]{50,4000}")


def create_organisation(
    session: Session, scribe: Scribe, *, slug: str, name: str, actor: str, now: datetime
) -> Organisation:
    """Register an organisation.

    Args:
        session: open for writing.
        scribe: writes the event.
        slug: short name, as it stands in addresses; never changed.
        name: full name.
        actor: id of who does it.
        now: UTC.

    Raises:
        BadSlug: cannot stand in an address.
        BadName: empty, too long or not printable.
        OrganisationExists: the short name is taken.
    """
    check_slug(slug, "organisation")
    _check_name(name)
    row = Organisation(id=new_id("org"), slug=slug, name=name, created_at=now)
    if not records.add_if_free(session, row):
        raise OrganisationExists(
            f"There is an organisation called {slug!r}.", "Choose another short name."
        )
    scribe.append(session, events.organisation_created(row, actor))
    return row


def find_organisation(session: Session, slug: str) -> Organisation:
    """Return an organisation by its short name.

    Raises:
        OrganisationUnknown: there is none.
    """
    row = records.organisation_by_slug(session, slug)
    if row is None:
        raise OrganisationUnknown
    return row


def add_member(
    session: Session,
    scribe: Scribe,
    *,
    organisation_id: OrganisationId,
    name: str,
    email: str,
    roles: Collection[Role],
    actor: str,
    now: datetime,
) -> Member:
    """Register a person of an organisation.

    Args:
        session: open for writing.
        scribe: writes the event.
        organisation_id: to which the person belongs.
        name: as it stands in agreements.
        email: one member's in this organisation; kept in lower case.
        roles: at least one capacity.
        actor: id of who does it.
        now: UTC.

    Raises:
        OrganisationUnknown, BadName, BadEmail, BadGrant (no role), MemberExists.
    """
    if records.organisation(session, organisation_id) is None:
        raise OrganisationUnknown
    _check_name(name)
    if not roles:
        raise BadGrant("A member needs a role.", f"Give one of {', '.join(Role)}.")
    row = Member(
        id=new_id("mem"),
        organisation_id=organisation_id,
        name=name,
        email=_checked_email(email),
        roles=sorted(Role(role).value for role in roles),
        created_at=now,
    )
    if not records.add_if_free(session, row):
        raise MemberExists(
            "The organisation has a member with this address.",
            "Use that member, or another address.",
        )
    scribe.append(session, events.member_added(row, actor))
    return row


def find_member(session: Session, member_id: MemberId) -> Member:
    """Return a member who was not removed.

    Raises:
        MemberUnknown: there is none.
    """
    row = records.member(session, member_id)
    if row is None or row.removed_at is not None:
        raise MemberUnknown
    return row


def remove_member(
    session: Session, scribe: Scribe, *, member_id: MemberId, actor: str, now: datetime
) -> None:
    """End a membership; every token of the person is refused from this moment.

    His keys stay registered: what he signed stays verifiable.

    Raises:
        MemberUnknown: there is none.
    """
    row = find_member(session, member_id)
    row.removed_at = now
    records.add(session, row)
    scribe.append(session, events.member_removed(row, actor))
    for token in records.valid_tokens_of_member(session, member_id):
        token.revoked_at = now
        records.add(session, token)
        scribe.append(session, events.token_revoked(token, actor))


def register_key(
    session: Session,
    scribe: Scribe,
    *,
    member_id: MemberId,
    kind: KeyKind,
    public_key: str,
    actor: str,
    now: datetime,
) -> MemberKey:
    """Register a member's public key; registering the same again changes nothing.

    A registered key proves nothing by itself: it counts where an accepted agreement pins it.

    Args:
        session: open for writing.
        scribe: writes the event.
        member_id: whose.
        kind: ``signing`` (``ed25519:…``) or ``recipient`` (``age1…``).
        public_key: the key's text.
        actor: id of who does it.
        now: UTC.

    Raises:
        MemberUnknown, BadPublicKey, BadRecipient, KeyOfOther.
    """
    owner = find_member(session, member_id)
    text = public_key.strip()
    _check_public_key(kind, text)
    digest = sha256_hex(text.encode())
    known = records.key_by_digest(session, digest)
    if known is not None:
        if known.member_id != member_id:
            raise KeyOfOther(
                "This public key is registered for another member.",
                "Make a key of your own: 'escrow keys new'.",
            )
        return known
    row = MemberKey(
        id=new_id("key"),
        member_id=member_id,
        kind=kind,
        public_key=text,
        public_key_sha256=digest,
        registered_at=now,
    )
    records.add(session, row)
    scribe.append(session, events.key_registered(row, owner, actor))
    return row


def member_of_key(session: Session, public_key: str) -> Member | None:
    """Return the member, not removed, for whom a public key is registered."""
    row = records.key_by_digest(session, sha256_hex(public_key.strip().encode()))
    owner = None if row is None else records.member(session, MemberId(row.member_id))
    return None if owner is None or owner.removed_at is not None else owner


def _check_public_key(kind: KeyKind, text: str) -> None:
    if kind == "signing":
        PublicKey.parse(text)
    elif not _RECIPIENT.fullmatch(text):
        raise BadRecipient(
            f"{text[:40]!r} is no age recipient.",
            "Give the public half, 'age1…', as age-keygen or 'escrow keys show' prints it.",
        )


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > MAX_NAME_CHARS or not name.isprintable():
        raise BadName(
            "The name is empty, too long, or holds characters that cannot be printed.",
            f"Give 1 to {MAX_NAME_CHARS} printable characters.",
        )


def _checked_email(email: str) -> str:
    if len(email) > MAX_EMAIL_CHARS or not _EMAIL.fullmatch(email):
        raise BadEmail(
            f"{email[:60]!r} is no e-mail address.", "Give one address, name@host.example."
        )
    return email.lower()
