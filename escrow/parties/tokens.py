"""Tokens: issued, recognised, bounded, revoked.

Guarantees: the text of a token is returned once and stored nowhere; what is stored is the SHA-256
of a 256-bit secret, compared in constant time; nothing outlives a year; a revocation holds from
the next request on. A token never performs an act of a party: those carry signatures.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from escrow.ground.database import Session
from escrow.ground.digests import Sha256Hex
from escrow.ground.identifiers import (
    AgreementId,
    MemberId,
    OrganisationId,
    ProductId,
    TokenId,
    new_id,
)
from escrow.ground.settings import Environment
from escrow.ledger.appending import Scribe
from escrow.parties import events, records
from escrow.parties.errors import (
    BadGrant,
    GrantExceedsIssuer,
    MemberUnknown,
    OrganisationUnknown,
    TokenAbsent,
    TokenExpired,
    TokenOneTime,
    TokenRevoked,
    TokenSpent,
    TokenUnknown,
)
from escrow.parties.permissions import Principal, Role, Verb, daily_verbs_of, verbs_of
from escrow.parties.records import Member, Token
from escrow.parties.token_text import parse_token, write_token

# A credential that nobody renews is a credential that nobody watches.
MAX_LIFETIME = timedelta(days=365)
DEFAULT_LIFETIME = timedelta(days=90)

# An invitation waits in somebody's inbox.
ONE_TIME_LIFETIME = timedelta(days=7)

# The last use is shown to people; a write for each request would be the service's whole work.
USE_NOTED_EVERY = timedelta(minutes=1)

# Compared when there is no such token, so that the answer takes as long.
_NO_DIGEST = Sha256Hex("0" * 64)

T = TypeVar("T")


@dataclass(frozen=True)
class Grant:
    """What a token is to be good for.

    Args:
        organisation_id: on whose behalf.
        role: in which capacity; a member's token takes one of his roles.
        member_id: whose; None for a machine of the organisation.
        verbs: None for the role's daily work, which is no administration.
        product_ids: the only products that it reaches; None for no such bound.
        agreement_ids: the only agreements; None for no such bound; an auditor's are named.
        lifetime: a year at most.
        label: what the owner calls it; shown in lists, never in the ledger.
    """

    organisation_id: OrganisationId
    role: Role
    member_id: MemberId | None = None
    verbs: frozenset[Verb] | None = None
    product_ids: frozenset[ProductId] | None = None
    agreement_ids: frozenset[AgreementId] | None = None
    lifetime: timedelta = DEFAULT_LIFETIME
    label: str = field(default="", compare=False)

    @property
    def effective_verbs(self) -> frozenset[Verb]:
        """The verbs that the token gets."""
        return daily_verbs_of(self.role) if self.verbs is None else self.verbs


def check_grantable(issuer: Principal, grant: Grant) -> None:
    """Refuse a grant that goes beyond its issuer; whether he may issue at all is not asked here.

    An operator, who runs the service, grants anything but what his own scopes exclude.

    Raises:
        GrantExceedsIssuer: other organisation or role, more verbs, a wider scope, or another
            person's token by somebody who does not administer the organisation.
    """
    is_wider = _is_wider(grant.product_ids, issuer.product_ids) or _is_wider(
        grant.agreement_ids, issuer.agreement_ids
    )
    if issuer.role is not Role.OPERATOR:
        # A token of a colleague would speak in his name, and an agent's for his agreements.
        is_other_person = grant.member_id not in (None, issuer.member_id)
        is_wider = (
            is_wider
            or grant.organisation_id != issuer.organisation_id
            or grant.role is not issuer.role
            or not grant.effective_verbs <= issuer.verbs
            or (is_other_person and Verb.ADMINISTER not in issuer.verbs)
        )
    if is_wider:
        raise GrantExceedsIssuer(
            "The token would reach further than the one that asks for it.",
            "Ask for your own organisation and role, for verbs and scopes that you have, or let "
            "the administrator issue it.",
        )


def issue(
    session: Session,
    scribe: Scribe,
    env: Environment,
    grant: Grant,
    *,
    actor: str,
    now: datetime,
    one_time: bool = False,
) -> tuple[Token, str]:
    """Issue a token and return it with its text, which nobody can show again.

    Args:
        session: open for writing.
        scribe: writes the event.
        env: of this installation; stands in the text.
        grant: what it is good for; see :func:`check_grantable` for who may give what.
        actor: id of who issues it.
        now: UTC.
        one_time: an invitation: good for nothing but :func:`exchange`.

    Raises:
        BadGrant: verbs that the role never has, an empty or too long life, an auditor without
            agreements, a role that the member does not have.
        OrganisationUnknown, MemberUnknown.
    """
    _check_grant(session, grant)
    token_id = TokenId(new_id("tok"))
    text, secret_sha256 = write_token(env, token_id)
    row = Token(
        id=token_id,
        organisation_id=grant.organisation_id,
        member_id=grant.member_id,
        label=grant.label[:100],
        secret_sha256=secret_sha256,
        role=grant.role.value,
        verbs=sorted(grant.effective_verbs),
        product_ids=_stored(grant.product_ids),
        agreement_ids=_stored(grant.agreement_ids),
        issued_at=now,
        expires_at=now + grant.lifetime,
        one_time=one_time,
    )
    records.add(session, row)
    scribe.append(session, events.token_issued(row, actor))
    return row, text


def authenticate(
    session: Session, env: Environment, unverified_text: str, now: datetime
) -> Principal:
    """Return whom a token speaks for. Reads only: note the use apart, when it is due.

    Args:
        session: open for reading or writing.
        env: of this installation.
        unverified_text: as the caller sent it.
        now: UTC.

    Raises:
        NotAuthenticated: one of its classes says why.
    """
    row, _ = _valid(session, env, unverified_text, now)
    if row.one_time or row.organisation_id is None:
        raise TokenOneTime(
            "This is a one-time token; it is good only for being exchanged.",
            "Exchange it for a lasting one: 'escrow admin claim'.",
        )
    return Principal(
        token_id=TokenId(row.id),
        member_id=None if row.member_id is None else MemberId(row.member_id),
        organisation_id=OrganisationId(row.organisation_id),
        role=Role(row.role),
        verbs=frozenset(Verb(verb) for verb in row.verbs),
        product_ids=_read(row.product_ids, ProductId),
        agreement_ids=_read(row.agreement_ids, AgreementId),
        is_use_due=row.last_used_at is None or now - row.last_used_at >= USE_NOTED_EVERY,
        holds_until=min(row.expires_at, (row.last_used_at or now) + USE_NOTED_EVERY),
    )


def note_use(session: Session, token_id: TokenId, now: datetime) -> bool:
    """Note that a token was used, once a minute at most; tell whether it was noted."""
    return records.note_use(session, token_id, now, now - USE_NOTED_EVERY)


def exchange(
    session: Session,
    scribe: Scribe,
    env: Environment,
    unverified_text: str,
    *,
    now: datetime,
    lifetime: timedelta = DEFAULT_LIFETIME,
) -> tuple[Token, str]:
    """Take a one-time token of a member and return a lasting one with the same reach, once.

    Raises:
        TokenOneTime: it is a lasting token, or the setup's (see ``bootstrap.claim``).
        TokenSpent: it was exchanged before.
        NotAuthenticated: not valid for another reason.
    """
    row = take_one_time(session, env, unverified_text, now)
    if row.organisation_id is None:
        raise TokenOneTime(
            "This one-time token sets an installation up.", "Use it with 'escrow admin claim'."
        )
    grant = Grant(
        organisation_id=OrganisationId(row.organisation_id),
        role=Role(row.role),
        member_id=None if row.member_id is None else MemberId(row.member_id),
        verbs=frozenset(Verb(verb) for verb in row.verbs),
        product_ids=_read(row.product_ids, ProductId),
        agreement_ids=_read(row.agreement_ids, AgreementId),
        lifetime=lifetime,
        label=row.label,
    )
    actor = row.member_id or row.id
    scribe.append(session, events.token_exchanged(row, actor))
    return issue(session, scribe, env, grant, actor=actor, now=now)


def take_one_time(session: Session, env: Environment, unverified_text: str, now: datetime) -> Token:
    """Spend a one-time token and return it; of two that try at once one gets it.

    Raises:
        TokenOneTime: it is a lasting token.
        TokenSpent: it was used before.
        NotAuthenticated: not valid for another reason.
    """
    row, _ = _valid(session, env, unverified_text, now)
    if not row.one_time:
        raise TokenOneTime(
            "This is a lasting token, not a one-time one.", "Use it as it is; nothing is to do."
        )
    if not records.spend(session, TokenId(row.id), now):
        raise TokenSpent
    return row


def revoke(
    session: Session, scribe: Scribe, *, token_id: TokenId, actor: str, now: datetime
) -> None:
    """Make a token invalid at once; revoking it again changes nothing.

    Raises:
        TokenAbsent: there is none of this id.
    """
    row = records.token(session, token_id)
    if row is None:
        raise TokenAbsent
    if row.revoked_at is not None:
        return
    row.revoked_at = now
    records.add(session, row)
    scribe.append(session, events.token_revoked(row, actor))


def _valid(
    session: Session, env: Environment, unverified_text: str, now: datetime
) -> tuple[Token, Member | None]:
    parts = parse_token(env, unverified_text)
    found = records.token_with_member(session, parts.token_id)
    expected = _NO_DIGEST if found is None else found[0].secret_sha256
    # Before anything else is said about a token, whoever asks has shown its secret.
    is_same = hmac.compare_digest(expected, parts.secret_sha256)
    if found is None or not is_same:
        raise TokenUnknown
    row, owner = found
    if row.revoked_at is not None:
        raise TokenSpent if row.one_time and row.last_used_at is not None else TokenRevoked
    if owner is not None and owner.removed_at is not None:
        raise TokenRevoked
    if now >= row.expires_at:
        raise TokenExpired
    return row, owner


def _check_grant(session: Session, grant: Grant) -> None:
    if records.organisation(session, grant.organisation_id) is None:
        raise OrganisationUnknown
    verbs = grant.effective_verbs
    if not verbs or not verbs <= verbs_of(grant.role):
        never = ", ".join(sorted(verbs - verbs_of(grant.role))) or "nothing at all"
        raise BadGrant(
            f"The role '{grant.role}' never does: {never}.",
            f"Choose among {', '.join(sorted(verbs_of(grant.role)))}.",
        )
    if not timedelta(0) < grant.lifetime <= MAX_LIFETIME:
        raise BadGrant(
            "A token lives for longer than nothing and for a year at most.",
            f"Give 1 to {MAX_LIFETIME.days} days.",
        )
    if grant.role is Role.AUDITOR and not grant.agreement_ids:
        raise BadGrant(
            "An auditor's token names no agreement.", "Name the agreements that he may read."
        )
    if grant.member_id is not None:
        _check_member(session, grant, grant.member_id)
    elif grant.role in (Role.OPERATOR, Role.AGENT):
        raise BadGrant(
            f"The role '{grant.role}' belongs to a person.", "Name the member whose token it is."
        )


def _check_member(session: Session, grant: Grant, member_id: MemberId) -> None:
    owner = records.member(session, member_id)
    is_his = owner is not None and owner.organisation_id == grant.organisation_id
    if owner is None or not is_his or owner.removed_at is not None:
        raise MemberUnknown
    if grant.role.value not in owner.roles:
        raise BadGrant(
            f"The member does not have the role '{grant.role}'.",
            f"He has: {', '.join(owner.roles)}.",
        )


def _is_wider(wanted: frozenset[str] | None, own: frozenset[str] | None) -> bool:
    return own is not None and (wanted is None or not wanted <= own)


def _stored(ids: frozenset[str] | None) -> list[str] | None:
    return None if ids is None else sorted(ids)


def _read(ids: list[str] | None, kind: Callable[[str], T]) -> frozenset[T] | None:
    return None if ids is None else frozenset(kind(text) for text in ids)
