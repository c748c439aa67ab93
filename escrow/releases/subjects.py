"""What the subject of each act on a request says, written and read; pure.

The client builds a subject from what it shows to the person, the service and the keyholder read it
with the same functions. A field that is missing, of another type or not known makes it another act.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, TypeVar, get_args

from escrow.ground.clock import parse_rfc3339, rfc3339
from escrow.ground.identifiers import AgreementId, RequestId
from escrow.releases.errors import OtherThanOffered, RequestMalformed

ServiceMethod = Literal["acknowledged", "courier", "registered-mail", "in-person", "deemed"]
ObjectionGround = Literal["not-occurred", "cured"]

SERVICE_METHODS: frozenset[str] = frozenset(get_args(ServiceMethod))
OBJECTION_GROUNDS: frozenset[str] = frozenset(get_args(ObjectionGround))

PURPOSE = "release"

# A request with more papers is no request but an archive; the paper can be one.
MAX_PAPERS = 20

T = TypeVar("T")

_SHA256 = re.compile(r"[0-9a-f]{64}")
_REQUEST_ID = re.compile(r"req_[0-9a-z]{26}")


@dataclass(frozen=True)
class Evidence:
    """A paper of a request: its kind of evidence, and its digest."""

    type: str
    sha256: str


@dataclass(frozen=True)
class RequestSubject:
    """What a beneficiary asks for.

    Args:
        version, text_sha256: the agreement's version in force.
        condition: type of the release condition that has occurred.
        recipient: the pinned age recipient to which everything is to be sealed.
        statement_sha256: of the beneficiary's own words.
        evidence: what comes with it.
    """

    agreement_id: AgreementId
    version: int
    text_sha256: str
    request_id: RequestId
    condition: str
    recipient: str
    statement_sha256: str
    evidence: tuple[Evidence, ...]

    def to_json(self) -> dict[str, object]:
        """Return the subject as it is signed."""
        return {
            "agreement_id": self.agreement_id,
            "version": self.version,
            "text_sha256": self.text_sha256,
            "request_id": self.request_id,
            "condition": self.condition,
            "recipient": self.recipient,
            "statement_sha256": self.statement_sha256,
            "evidence": [{"type": one.type, "sha256": one.sha256} for one in self.evidence],
        }


@dataclass(frozen=True)
class ServiceSubject:
    """Service of a request upon the vendor.

    Args:
        method: how; ``deemed``: sent to the registered office, counted by the agreement's days.
        day: of receipt, or of sending where it is deemed.
        proof_sha256: of the proof; empty for the vendor's own acknowledgement.
    """

    method: ServiceMethod
    day: date
    proof_sha256: str


@dataclass(frozen=True)
class SealedShare:
    """An agent's share of one epoch on its way: its number, and the digest of its file."""

    epoch: int
    index: int
    file_sha256: str


@dataclass(frozen=True)
class ConfirmationSubject:
    """What an agent confirms; all but the last three is the same for every agent.

    Args:
        request_act_sha256: digest of the request as signed.
        bundle: kinds of material that the condition frees.
        offer_sha256: digest of the offer: deposits, parts, digests.
        opened_entry_sha256: the keyholder's entry that opened this round.
        ledger_head: newest entry of the agreement that the agent's client has proven.
        expires_at: after this the confirmation counts no more.
        shares: sealed to the round's one-time key.
    """

    agreement_id: AgreementId
    version: int
    text_sha256: str
    request_id: RequestId
    request_act_sha256: str
    condition: str
    bundle: tuple[str, ...]
    recipient: str
    offer_sha256: str
    opened_entry_sha256: str
    ledger_head: str
    expires_at: datetime
    shares: tuple[SealedShare, ...]

    def to_json(self) -> dict[str, object]:
        """Return the subject as it is signed."""
        return {
            "purpose": PURPOSE,
            "agreement_id": self.agreement_id,
            "version": self.version,
            "text_sha256": self.text_sha256,
            "request_id": self.request_id,
            "request_act_sha256": self.request_act_sha256,
            "condition": self.condition,
            "bundle": list(self.bundle),
            "recipient": self.recipient,
            "offer_sha256": self.offer_sha256,
            "opened_entry_sha256": self.opened_entry_sha256,
            "ledger_head": self.ledger_head,
            "expires_at": rfc3339(self.expires_at),
            # The agent says so of every channel: a letter, a call, what a portal never showed.
            "no_contrary_instruction_by_any_channel": True,
            "shares": [
                {"epoch": one.epoch, "index": one.index, "file_sha256": one.file_sha256}
                for one in self.shares
            ],
        }

    def check_same_matter(self, other: ConfirmationSubject) -> None:
        """Return when both confirm the same thing, whoever the agents are.

        Raises:
            OtherThanOffered: naming the first field that differs.
        """
        own = {"ledger_head", "expires_at", "shares"}
        theirs = other.to_json()
        for name, value in self.to_json().items():
            if name not in own and value != theirs[name]:
                raise OtherThanOffered(name)


def act_subject(
    agreement_id: AgreementId, request_id: RequestId, request_act_sha256: str, **more: object
) -> dict[str, object]:
    """Return the subject of an act on a request that is on file."""
    return {
        "agreement_id": agreement_id,
        "request_id": request_id,
        "request_act_sha256": request_act_sha256,
        **more,
    }


def parse_request(subject: Mapping[str, object]) -> RequestSubject:
    """Return what a request asks for.

    Raises:
        RequestMalformed: not the form of a request.
    """
    reader = _Reader(subject)
    evidence = [_Reader(one) for one in reader.mappings("evidence", MAX_PAPERS)]
    found = RequestSubject(
        agreement_id=AgreementId(reader.text("agreement_id")),
        version=reader.number("version"),
        text_sha256=reader.digest("text_sha256"),
        request_id=RequestId(reader.text("request_id")),
        condition=reader.text("condition"),
        recipient=reader.text("recipient"),
        statement_sha256=reader.digest("statement_sha256"),
        evidence=tuple(Evidence(one.text("type"), one.digest("sha256")) for one in evidence),
    )
    if not _REQUEST_ID.fullmatch(found.request_id):
        raise RequestMalformed("request_id is no id of a request")
    return _only(found.to_json(), subject, found)


def parse_service(subject: Mapping[str, object]) -> ServiceSubject:
    """Return what a statement of service says beside which request it is about.

    Raises:
        RequestMalformed: not the form of one.
    """
    reader = _Reader(subject)
    return ServiceSubject(
        reader.choice("method", SERVICE_METHODS),  # type: ignore[arg-type]
        reader.day("day"),
        reader.digest("proof_sha256"),
    )


def parse_objection(subject: Mapping[str, object]) -> tuple[str, str]:
    """Return the ground of contrary instructions and the digest of their statement.

    Raises:
        RequestMalformed: not the form of them.
    """
    reader = _Reader(subject)
    return reader.choice("ground", OBJECTION_GROUNDS), reader.digest("statement_sha256")


def parse_confirmation(subject: Mapping[str, object]) -> ConfirmationSubject:
    """Return what an agent confirms.

    Raises:
        RequestMalformed: not the form of a confirmation, or of another purpose.
    """
    reader = _Reader(subject)
    shares = [_Reader(one) for one in reader.mappings("shares", MAX_PAPERS)]
    found = ConfirmationSubject(
        agreement_id=AgreementId(reader.text("agreement_id")),
        version=reader.number("version"),
        text_sha256=reader.digest("text_sha256"),
        request_id=RequestId(reader.text("request_id")),
        request_act_sha256=reader.digest("request_act_sha256"),
        condition=reader.text("condition"),
        bundle=tuple(reader.texts("bundle")),
        recipient=reader.text("recipient"),
        offer_sha256=reader.digest("offer_sha256"),
        opened_entry_sha256=reader.digest("opened_entry_sha256"),
        ledger_head=reader.digest("ledger_head"),
        expires_at=reader.moment("expires_at"),
        shares=tuple(
            SealedShare(one.number("epoch"), one.number("index"), one.digest("file_sha256"))
            for one in shares
        ),
    )
    return _only(found.to_json(), subject, found)


def _only(canonical: Mapping[str, object], given: Mapping[str, object], found: T) -> T:
    if dict(canonical) != dict(given):
        unknown = next((name for name in given if name not in canonical), "a value")
        raise RequestMalformed(f"{unknown} is not of this act")
    return found


class _Reader:
    """Takes typed values out of a subject, or says which is none."""

    def __init__(self, values: object) -> None:
        if not isinstance(values, Mapping):
            raise RequestMalformed("a list holds something else")
        self._values: Mapping[str, Any] = values

    def text(self, name: str) -> str:
        value = self._values.get(name)
        if not isinstance(value, str) or not value:
            raise RequestMalformed(f"{name} is missing")
        return value

    def number(self, name: str) -> int:
        value = self._values.get(name)
        if type(value) is not int or value < 1:
            raise RequestMalformed(f"{name} is no number")
        return value

    def digest(self, name: str) -> str:
        value = self.text(name)
        if not _SHA256.fullmatch(value):
            raise RequestMalformed(f"{name} is no SHA-256")
        return value

    def choice(self, name: str, known: frozenset[str]) -> str:
        value = self.text(name)
        if value not in known:
            raise RequestMalformed(f"{name} is none of {', '.join(sorted(known))}")
        return value

    def day(self, name: str) -> date:
        try:
            return date.fromisoformat(self.text(name))
        except ValueError:
            raise RequestMalformed(f"{name} is no day (YYYY-MM-DD)") from None

    def moment(self, name: str) -> datetime:
        try:
            return parse_rfc3339(self.text(name))
        except ValueError:
            raise RequestMalformed(f"{name} is no time") from None

    def texts(self, name: str) -> Sequence[str]:
        value = self._values.get(name)
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise RequestMalformed(f"{name} is no list of words")
        return value

    def mappings(self, name: str, most: int) -> Sequence[object]:
        value = self._values.get(name)
        if not isinstance(value, list) or len(value) > most:
            raise RequestMalformed(f"{name} is no list of at most {most}")
        return value
