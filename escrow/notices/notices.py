"""The kinds of notice as one table, and what a notice may hold.

A notice holds references: ids, a day, an address of ours where to look. Guarantees: no value of
one can hold a sentence, a line end or a name. It does not know what the words are (``texts``) nor
how they travel (``letters``, ``smtp``), and it starts no period: only an act of a person does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from escrow.ground.identifiers import AgreementId
from escrow.notices.errors import BadNotice

DEFAULT_LANGUAGE = "en"

# Machine words: they also stand in the ledger, where nothing is ever deleted.
_KEY = re.compile(r"[a-z0-9][a-z0-9._:-]{0,199}", re.ASCII)
_ID = re.compile(r"[a-z]{2,8}_[a-z0-9_]{1,31}", re.ASCII)
_CALENDAR = re.compile(r"[A-Z0-9]{2,8}(?:-[A-Z0-9]{1,8})?", re.ASCII)
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)+", re.ASCII)
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})?", re.ASCII)
_MAX_PATH_CHARS = 200


class Kind(StrEnum):
    """What a notice says; stored, never renamed."""

    RELEASE_REQUEST_FILED = "release-request-filed"
    SERVICE_STATED = "service-stated"
    CURE_PERIOD_BEGUN = "cure-period-begun"
    OBJECTION_PERIOD_BEGUN = "objection-period-begun"
    CONTRARY_INSTRUCTIONS_FILED = "contrary-instructions-filed"
    LATE_INSTRUCTIONS_FILED = "late-instructions-filed"
    CONSENT_GIVEN = "consent-given"
    REQUEST_APPROVED = "request-approved"
    REQUEST_WITHDRAWN = "request-withdrawn"
    REQUEST_VOIDED = "request-voided"
    CONFIRMATION_OPEN = "confirmation-open"
    RELEASE_EXECUTED = "release-executed"
    RELEASE_ABORTED = "release-aborted"
    CEREMONY_NEEDED = "ceremony-needed"
    CUSTODY_SESSION_OPEN = "custody-session-open"
    CUSTODY_DUE = "custody-due"
    CUSTODY_ALARM = "custody-alarm"
    CUSTODY_IMPAIRED = "custody-impaired"
    HOLD_PLACED = "hold-placed"
    HOLD_LIFTED = "hold-lifted"
    DEPOSIT_WITHDRAWN = "deposit-withdrawn"
    WITHDRAWAL_CANCELLED = "withdrawal-cancelled"
    DEPOSIT_SHREDDED = "deposit-shredded"
    DESTRUCTION_REQUESTED = "destruction-requested"
    DESTRUCTION_SERVED = "destruction-served"
    DESTRUCTION_CONFIRMABLE = "destruction-confirmable"
    DESTRUCTION_OBJECTED = "destruction-objected"
    DESTRUCTION_CANCELLED = "destruction-cancelled"
    DESTRUCTION_EXECUTED = "destruction-executed"
    DEPOSIT_MISSING = "deposit-missing"
    DEPOSIT_NOT_SERVING = "deposit-not-serving"
    DEPOSIT_NOT_OPENING = "deposit-not-opening"
    DEPOSIT_DAMAGED = "deposit-damaged"
    RECIPIENT_PROOF_DUE = "recipient-proof-due"
    RECIPIENT_UNPROVEN = "recipient-unproven"
    RECIPIENT_CHANGE_PROPOSED = "recipient-change-proposed"
    RECIPIENT_CHANGE_PROVEN = "recipient-change-proven"
    RECIPIENT_CHANGE_WITHDRAWN = "recipient-change-withdrawn"


class Reader(StrEnum):
    """In which capacity somebody is told; stored, never renamed."""

    VENDOR = "vendor"
    BENEFICIARY = "beneficiary"
    AGENT = "agent"


@dataclass(frozen=True)
class KindRule:
    """What a notice of a kind must name.

    Args:
        names_request: the release request that it is about.
        names_day: the last day of a period that runs from now on.
    """

    names_request: bool = True
    names_day: bool = False


RULES: Mapping[Kind, KindRule] = MappingProxyType(
    {
        Kind.RELEASE_REQUEST_FILED: KindRule(),
        Kind.SERVICE_STATED: KindRule(names_day=True),
        Kind.CURE_PERIOD_BEGUN: KindRule(names_day=True),
        Kind.OBJECTION_PERIOD_BEGUN: KindRule(names_day=True),
        Kind.CONTRARY_INSTRUCTIONS_FILED: KindRule(),
        Kind.LATE_INSTRUCTIONS_FILED: KindRule(),
        Kind.CONSENT_GIVEN: KindRule(),
        Kind.REQUEST_APPROVED: KindRule(),
        Kind.REQUEST_WITHDRAWN: KindRule(),
        Kind.REQUEST_VOIDED: KindRule(),
        Kind.CONFIRMATION_OPEN: KindRule(),
        Kind.RELEASE_EXECUTED: KindRule(),
        Kind.RELEASE_ABORTED: KindRule(),
        Kind.CEREMONY_NEEDED: KindRule(names_request=False),
        Kind.CUSTODY_SESSION_OPEN: KindRule(names_request=False, names_day=True),
        Kind.CUSTODY_DUE: KindRule(names_request=False, names_day=True),
        Kind.CUSTODY_ALARM: KindRule(names_request=False),
        Kind.CUSTODY_IMPAIRED: KindRule(names_request=False),
        Kind.HOLD_PLACED: KindRule(names_request=False),
        Kind.HOLD_LIFTED: KindRule(names_request=False),
        Kind.DEPOSIT_WITHDRAWN: KindRule(names_request=False),
        Kind.WITHDRAWAL_CANCELLED: KindRule(names_request=False),
        Kind.DEPOSIT_SHREDDED: KindRule(names_request=False),
        Kind.DESTRUCTION_REQUESTED: KindRule(names_request=False),
        Kind.DESTRUCTION_SERVED: KindRule(names_request=False),
        Kind.DESTRUCTION_CONFIRMABLE: KindRule(names_request=False),
        Kind.DESTRUCTION_OBJECTED: KindRule(names_request=False),
        Kind.DESTRUCTION_CANCELLED: KindRule(names_request=False),
        Kind.DESTRUCTION_EXECUTED: KindRule(names_request=False),
        Kind.DEPOSIT_MISSING: KindRule(names_request=False),
        Kind.DEPOSIT_NOT_SERVING: KindRule(names_request=False),
        Kind.DEPOSIT_NOT_OPENING: KindRule(names_request=False),
        Kind.DEPOSIT_DAMAGED: KindRule(names_request=False),
        Kind.RECIPIENT_PROOF_DUE: KindRule(names_request=False, names_day=True),
        Kind.RECIPIENT_UNPROVEN: KindRule(names_request=False),
        Kind.RECIPIENT_CHANGE_PROPOSED: KindRule(names_request=False),
        Kind.RECIPIENT_CHANGE_PROVEN: KindRule(names_request=False, names_day=True),
        Kind.RECIPIENT_CHANGE_WITHDRAWN: KindRule(names_request=False),
    }
)


@dataclass(frozen=True)
class LastDay:
    """The day with which a period ends.

    Args:
        day: the last day that still counts.
        calendar: of the business days that it was computed by, such as ``GB-ENG``; None where
            calendar days count.
    """

    day: date
    calendar: str | None = None

    def __post_init__(self) -> None:
        if self.calendar is not None:
            _check("calendar", self.calendar, _CALENDAR)


@dataclass(frozen=True)
class NoticeToSend:
    """One notice to one person, as a room posts it.

    Args:
        key: unique for ever, made of words and ids; the same key is the same notice, whatever
            else is said the second time. E.g. ``req_01…:service-stated:vendor:mem_01…``.
        kind: what happened.
        reader: in which capacity the person is told.
        to: the e-mail address, as the agreement or the register has it. One that can stand in no
            mail is no error here: the notice is kept, as failed, for the operator to see; else a
            party could stop a request by an address.
        agreement_id: whose stream the ledger's events stand in.
        request_id: the release request, where the kind names one.
        last_day: by when the reader has to do something, where that is known.
        path: below the service's own address; the agreement's page when empty.
        language: of the letter; English where there is no such text.

    Raises:
        BadNotice: a value has another form, or one is missing that the kind must name.
    """

    key: str
    kind: Kind
    reader: Reader
    to: str
    agreement_id: AgreementId
    request_id: str | None = None
    last_day: LastDay | None = None
    path: str = ""
    language: str = DEFAULT_LANGUAGE

    def __post_init__(self) -> None:
        _check("key", self.key, _KEY)
        _check("agreement's id", self.agreement_id, _ID)
        _check("language", self.language, _LANGUAGE)
        if self.request_id is not None:
            _check("request's id", self.request_id, _ID)
        if self.path:
            _check("path", self.path[: _MAX_PATH_CHARS + 1], _PATH, _MAX_PATH_CHARS)
        _check_complete(self)

    @property
    def place(self) -> str:
        """Where to look, below the service's address."""
        return self.path or f"/api/v1/agreements/{self.agreement_id}"


def _check(what: str, value: str, form: re.Pattern[str], max_chars: int = 200) -> None:
    if len(value) > max_chars or not form.fullmatch(value):
        raise BadNotice(
            f"{value[:60]!r} cannot stand in a notice as its {what}.",
            "Give ids, codes and addresses of our own only; see escrow/notices/notices.py.",
        )


def _check_complete(notice: NoticeToSend) -> None:
    rule = RULES[notice.kind]
    for is_needed, value, what in (
        (rule.names_request, notice.request_id, "release request"),
        (rule.names_day, notice.last_day, "last day"),
    ):
        if is_needed and value is None:
            raise BadNotice(
                f"A notice '{notice.kind}' has to name its {what}.", "Post it with that value."
            )
