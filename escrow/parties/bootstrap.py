"""The first operator: a one-time token printed on the machine, exchanged over the wire.

Whoever runs ``escrow admin init`` has the machine, and with it everything; the token carries that
trust to one person, once, for a day. Every token and its use is an event.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from escrow.ground.database import Session
from escrow.ground.identifiers import MemberId, OrganisationId, TokenId, new_id
from escrow.ground.settings import Environment
from escrow.ledger.appending import Scribe
from escrow.parties import events, organisations, records, tokens
from escrow.parties.errors import AlreadySetUp, TokenOneTime
from escrow.parties.permissions import Role, verbs_of
from escrow.parties.records import Member, Token
from escrow.parties.token_text import write_token

# Whoever starts a service sits before it.
SETUP_LIFETIME = timedelta(days=1)

# Who does it when nobody is there yet.
INSTALLER = "installer"

# The escrow firm that runs the service; it may rename itself later, the short name stays.
OPERATOR_SLUG = "operator"


def begin(
    session: Session, scribe: Scribe, env: Environment, now: datetime, *, again: bool = False
) -> str:
    """Return the text of a one-time token that makes its bearer the operator.

    Args:
        session: open for writing.
        scribe: writes the events.
        env: of this installation.
        now: UTC.
        again: also when there is an operator already (his token was lost); earlier tokens of the
            setup that nobody used end.

    Raises:
        AlreadySetUp: there is an operator, or a token that waits for him, and not ``again``.
    """
    waiting = [row for row in records.open_setup_tokens(session) if now < row.expires_at]
    if not again and (waiting or records.has_operator(session)):
        raise AlreadySetUp(
            "This installation is set up, or its one-time token was printed already.",
            "Use that token; if it is lost: 'escrow admin init --new-token'.",
        )
    for row in waiting:
        tokens.revoke(session, scribe, token_id=TokenId(row.id), actor=INSTALLER, now=now)
    token_id = TokenId(new_id("tok"))
    text, secret_sha256 = write_token(env, token_id)
    row = Token(
        id=token_id,
        label="setup",
        secret_sha256=secret_sha256,
        role=Role.OPERATOR.value,
        verbs=sorted(verbs_of(Role.OPERATOR)),
        issued_at=now,
        expires_at=now + SETUP_LIFETIME,
        one_time=True,
    )
    records.add(session, row)
    scribe.append(session, events.token_issued(row, INSTALLER))
    return text


def claim(
    session: Session,
    scribe: Scribe,
    env: Environment,
    unverified_text: str,
    *,
    name: str,
    email: str,
    now: datetime,
) -> tuple[Member, Token, str]:
    """Exchange the setup's token for a member, the operator, and his own token.

    The operator's organisation is made when it is missing. A person with this address who is its
    member already (his token was lost) gets a new token.

    Args:
        session: open for writing.
        scribe: writes the events.
        env: of this installation.
        unverified_text: what :func:`begin` returned.
        name: of the person.
        email: of the person.
        now: UTC.

    Raises:
        TokenOneTime: it is another kind of token.
        NotAuthenticated: not valid, expired, or exchanged before.
        BadName, BadEmail, MemberExists (removed, or without the role).
    """
    setup = tokens.take_one_time(session, env, unverified_text, now)
    if setup.organisation_id is not None:
        raise TokenOneTime(
            "This one-time token is an invitation, and sets nothing up.",
            "Exchange it for your own token instead.",
        )
    scribe.append(session, events.token_exchanged(setup, INSTALLER))
    member = _operator(session, scribe, name, email, now)
    grant = tokens.Grant(
        organisation_id=OrganisationId(member.organisation_id),
        role=Role.OPERATOR,
        member_id=MemberId(member.id),
        label="operator",
    )
    token, text = tokens.issue(session, scribe, env, grant, actor=member.id, now=now)
    return member, token, text


def _operator(session: Session, scribe: Scribe, name: str, email: str, now: datetime) -> Member:
    own = records.organisation_by_slug(session, OPERATOR_SLUG)
    if own is None:
        own = organisations.create_organisation(
            session, scribe, slug=OPERATOR_SLUG, name="Operator", actor=INSTALLER, now=now
        )
    organisation_id = OrganisationId(own.id)
    known = records.member_by_email(session, organisation_id, email.lower())
    if known is not None and known.removed_at is None and Role.OPERATOR in known.roles:
        return known
    return organisations.add_member(
        session,
        scribe,
        organisation_id=organisation_id,
        name=name,
        email=email,
        roles=(Role.OPERATOR,),
        actor=INSTALLER,
        now=now,
    )
