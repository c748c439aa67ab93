"""Who may do what to what: one table of role, verb and relation, closed by default.

Guarantees: whatever is not in the table is refused; what is not the asker's looks absent to him.
It does not decide which *documents* a reader gets: the agreement's disclosure classes do that,
after this table let him in. No verb here performs an act of a party; acts carry signatures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from escrow.ground.errors import NotFound
from escrow.ground.identifiers import (
    AgreementId,
    MemberId,
    OrganisationId,
    ProductId,
    TokenId,
)
from escrow.parties.errors import NotAllowed, NothingThere, TokenLacksVerb


class Role(StrEnum):
    """In which capacity somebody speaks; stored, never renamed."""

    OPERATOR = "operator"
    VENDOR = "vendor"
    BENEFICIARY = "beneficiary"
    AGENT = "agent"
    AUDITOR = "auditor"


class Verb(StrEnum):
    """What can be done; stored in tokens, never renamed."""

    ADMINISTER = "administer"
    ISSUE_TOKEN = "issue-token"  # noqa: S105 (a verb)
    REGISTER_KEY = "register-key"
    REGISTER_PRODUCT = "register-product"
    FILE_AGREEMENT = "file-agreement"
    READ_AGREEMENT = "read-agreement"
    ACCEPT = "accept"
    HOLD_CEREMONY = "hold-ceremony"
    OPEN_SHARE = "open-share"
    DEPOSIT = "deposit"
    READ_STATUS = "read-status"
    READ_RECEIPT = "read-receipt"
    READ_REPORT = "read-report"
    READ_LOG = "read-log"
    READ_DOCUMENT = "read-document"
    READ_LEDGER = "read-ledger"
    ACT_ON_REQUEST = "act-on-request"
    READ_REQUEST = "read-request"
    CONFIRM_RELEASE = "confirm-release"
    FETCH_RELEASE = "fetch-release"
    ACT_ON_ENDING = "act-on-ending"
    READ_ENDING = "read-ending"
    CONFIRM_DESTRUCTION = "confirm-destruction"
    ERASE = "erase"


class Relation(StrEnum):
    """How somebody stands to the thing that he asks for."""

    VENDOR_OF_PRODUCT = "vendor-of-product"
    PARTY_OF_AGREEMENT = "party-of-agreement"
    AUDITOR_OF_AGREEMENT = "auditor-of-agreement"
    SAME_ORGANISATION = "same-organisation"
    NONE = "none"


_ANY = frozenset(Relation)
_NOBODY: frozenset[Relation] = frozenset()
_VENDOR = frozenset({Relation.VENDOR_OF_PRODUCT})
_PARTY = frozenset({Relation.PARTY_OF_AGREEMENT})
_AUDITS = frozenset({Relation.AUDITOR_OF_AGREEMENT})
_SAME = frozenset({Relation.SAME_ORGANISATION})

# Columns in the order of Role: operator, vendor, beneficiary, agent, auditor. The operator runs
# the service and sees states, never content: no report, log, document or receipt (a receipt holds
# plain hashes), no deposit, no acceptance, no share.
_TABLE: Mapping[Verb, tuple[frozenset[Relation], ...]] = {
    Verb.ADMINISTER: (_ANY, _SAME, _SAME, _NOBODY, _NOBODY),
    Verb.ISSUE_TOKEN: (_ANY, _SAME, _SAME, _SAME, _NOBODY),
    Verb.REGISTER_KEY: (_ANY, _SAME, _SAME, _SAME, _NOBODY),
    Verb.REGISTER_PRODUCT: (_ANY, _SAME, _NOBODY, _NOBODY, _NOBODY),
    Verb.FILE_AGREEMENT: (_ANY, _PARTY | _SAME, _PARTY | _SAME, _NOBODY, _NOBODY),
    Verb.READ_AGREEMENT: (_ANY, _PARTY, _PARTY, _PARTY, _AUDITS),
    Verb.ACCEPT: (_NOBODY, _PARTY, _PARTY, _PARTY, _NOBODY),
    Verb.HOLD_CEREMONY: (_ANY, _NOBODY, _NOBODY, _PARTY, _NOBODY),
    Verb.OPEN_SHARE: (_NOBODY, _NOBODY, _NOBODY, _PARTY, _NOBODY),
    Verb.DEPOSIT: (_NOBODY, _VENDOR, _NOBODY, _NOBODY, _NOBODY),
    Verb.READ_STATUS: (_ANY, _VENDOR | _PARTY, _PARTY, _PARTY, _AUDITS),
    Verb.READ_RECEIPT: (_NOBODY, _VENDOR, _NOBODY, _NOBODY, _NOBODY),
    Verb.READ_REPORT: (_NOBODY, _VENDOR, _PARTY, _PARTY, _AUDITS),
    Verb.READ_LOG: (_NOBODY, _VENDOR, _NOBODY, _NOBODY, _NOBODY),
    Verb.READ_DOCUMENT: (_NOBODY, _VENDOR, _PARTY, _PARTY, _AUDITS),
    # No verb performs an act: it lets a signed envelope be handed in.
    Verb.ACT_ON_REQUEST: (_NOBODY, _PARTY, _PARTY, _PARTY, _NOBODY),
    Verb.READ_REQUEST: (_ANY, _PARTY, _PARTY, _PARTY, _AUDITS),
    Verb.CONFIRM_RELEASE: (_NOBODY, _NOBODY, _NOBODY, _PARTY, _NOBODY),
    # Which beneficiary's release it is, is asked besides.
    Verb.FETCH_RELEASE: (_NOBODY, _NOBODY, _PARTY, _NOBODY, _NOBODY),
    # What ends is everybody's to know; that it ends, only signed acts bring about.
    Verb.ACT_ON_ENDING: (_NOBODY, _PARTY, _PARTY, _PARTY, _NOBODY),
    Verb.READ_ENDING: (_ANY, _PARTY, _PARTY, _PARTY, _AUDITS),
    Verb.CONFIRM_DESTRUCTION: (_NOBODY, _NOBODY, _NOBODY, _PARTY, _NOBODY),
    # Personal data of a member who left; the organisation's own, by its administration.
    Verb.ERASE: (_ANY, _SAME, _SAME, _NOBODY, _NOBODY),
    Verb.READ_LEDGER: (_ANY, _VENDOR | _PARTY | _SAME, _PARTY | _SAME, _PARTY, _AUDITS),
}

ALLOWED: Mapping[Role, Mapping[Verb, frozenset[Relation]]] = {
    role: {verb: columns[place] for verb, columns in _TABLE.items()}
    for place, role in enumerate(Role)
}

# What a token for a machine's daily work gets when nobody says otherwise.
_BY_NAME_ONLY = frozenset(
    {Verb.ADMINISTER, Verb.ISSUE_TOKEN, Verb.REGISTER_KEY, Verb.REGISTER_PRODUCT, Verb.ERASE}
)


@dataclass(frozen=True)
class Principal:
    """Whoever a valid credential speaks for, and how far it reaches.

    Args:
        token_id: the credential.
        member_id: the person; None for a machine's token of an organisation.
        organisation_id: to which he belongs.
        role: the one capacity in which this credential speaks.
        verbs: what this credential may do at most; the table still decides.
        product_ids: the only products that it reaches; None for no such bound.
        agreement_ids: the only agreements that it reaches; None for no such bound.
        is_use_due: the last use noted is old enough to be noted anew (``tokens.note_use``).
        holds_until: when the token expires or its use is to be noted anew, whichever is sooner;
            until then time alone changes nothing about it. None where nobody asked a clock.
    """

    token_id: TokenId
    member_id: MemberId | None
    organisation_id: OrganisationId
    role: Role
    verbs: frozenset[Verb]
    product_ids: frozenset[ProductId] | None = None
    agreement_ids: frozenset[AgreementId] | None = None
    is_use_due: bool = False
    holds_until: datetime | None = field(default=None, compare=False)

    @property
    def actor(self) -> str:
        """The id that stands in events: the person, else the token."""
        return self.member_id or self.token_id


def verbs_of(role: Role) -> frozenset[Verb]:
    """Return every verb that a role may ever use."""
    return frozenset(verb for verb, relations in ALLOWED[role].items() if relations)


def daily_verbs_of(role: Role) -> frozenset[Verb]:
    """Return the verbs that a role's token gets unless others are named: no administration."""
    return verbs_of(role) if role is Role.OPERATOR else verbs_of(role) - _BY_NAME_ONLY


def is_allowed(principal: Principal, verb: Verb, relation: Relation) -> bool:
    """Tell whether the table and the credential both allow it."""
    return verb in principal.verbs and relation in ALLOWED[principal.role][verb]


def check_allowed(
    principal: Principal,
    verb: Verb,
    relation: Relation,
    absent: Callable[[], NotFound] = NothingThere,
) -> None:
    """Return when the principal may do this to a thing that he stands in this relation to.

    Args:
        principal: from ``tokens.authenticate``.
        verb: what is asked.
        relation: from ``relations``, for the very thing that is asked for.
        absent: makes the error that an absent thing gives, so that both look the same.

    Raises:
        NotFound: made by ``absent``: it is not his.
        NotAllowed: it is his to see, and the role may not do this.
        TokenLacksVerb: the role may, this token may not.
    """
    role = principal.role
    if relation not in ALLOWED[role][verb]:
        if relation is Relation.NONE and role is not Role.OPERATOR:
            raise absent()
        raise NotAllowed(
            f"The role '{role}' may not '{verb}' here.",
            "Use a token of a party that may; docs/permissions.md has the table.",
        )
    if verb not in principal.verbs:
        raise TokenLacksVerb(
            f"This token was not given '{verb}'.",
            f"Use a token that was, or have one issued with the verb '{verb}'.",
        )


def table_as_markdown() -> str:
    """Return the table as a page: a row for each verb, a column for each role."""
    lines = [
        "| verb | " + " | ".join(Role) + " |",
        "|---|" + "---|" * len(Role),
    ]
    for verb, columns in _TABLE.items():
        cells = ("anywhere" if cell == _ANY else ", ".join(sorted(cell)) or "—" for cell in columns)
        lines.append(f"| `{verb}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
