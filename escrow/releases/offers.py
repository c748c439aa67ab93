"""What a release hands over: every retained deposit, each part by ids and digests; pure.

The keyholder draws the offer from the product's proven events and the receipts that these name by
digest. It goes to agents before a release: it names kinds and digests of sealed payloads, no names
of files and no digest of a plaintext.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, cast

from escrow.ground.clock import parse_rfc3339, rfc3339
from escrow.ground.digests import Sha256Hex, canonical_json, sha256_hex
from escrow.ground.identifiers import AgreementId
from escrow.ledger.chains import ChainedEvent
from escrow.ledger.events import Event
from escrow.releases.errors import OfferBroken

OFFER_FORMAT = "escrow-release-offer/1"

# What a bundle of the agreement frees, in kinds of parts. What is needed to build goes with the
# source; a right to the data frees no source.
KINDS_OF_BUNDLE: Mapping[str, frozenset[str]] = {
    "source": frozenset({"source", "environment", "images"}),
    "data": frozenset({"data", "models"}),
    "docs": frozenset({"docs"}),
    "artifacts": frozenset({"artifacts"}),
    "access": frozenset({"credentials"}),
}

_LISTS = ("bundle", "last_verified", "last_before_filing")
_SEALED = "deposits:deposit:sealed"
_REPORT = "verification:report:signed"
_CONFIRMATION = "verification:confirmation:signed"


@dataclass(frozen=True)
class OfferedPart:
    """One part: where it was sent, and the payload in which it lies.

    Args:
        deposit_id: the deposit in which it was really sent; another one where it is carried.
        part_id: of the part as it was sent.
        opens: whether the sealing key of this round opens it; an older key's shares are with the
            agents of an older version.
    """

    deposit_id: str
    part_id: str
    kind: str
    payload_sha256: str
    payload_size_bytes: int
    opens: bool


@dataclass(frozen=True)
class OfferedDeposit:
    """One retained deposit of a product of the agreement, and its last verdict."""

    product_id: str
    deposit_id: str
    number: int
    sealed_at: str
    verdict: str | None
    level: str | None
    parts: tuple[OfferedPart, ...]


@dataclass(frozen=True)
class Offer:
    """Everything that may be handed over under one request.

    Args:
        bundle: what the condition frees; parts of other kinds are left out.
        last_verified: of each product the newest deposit whose build passed, where one did.
        last_before_filing: of each product the newest deposit that was sealed before the request.
    """

    agreement_id: AgreementId
    request_id: str
    bundle: tuple[str, ...]
    deposits: tuple[OfferedDeposit, ...]
    last_verified: tuple[str, ...]
    last_before_filing: tuple[str, ...]

    def to_bytes(self) -> bytes:
        """Return the canonical form, whose digest agents sign."""
        return canonical_json({"format": OFFER_FORMAT, **json.loads(json.dumps(asdict(self)))})

    @property
    def sha256(self) -> Sha256Hex:
        """Digest of the canonical form."""
        return sha256_hex(self.to_bytes())

    def sent_parts(self) -> tuple[OfferedPart, ...]:
        """Return every part that opens, once, however many deposits carry it."""
        found = {part.part_id: part for deposit in self.deposits for part in deposit.parts}
        return tuple(found[one] for one in sorted(found) if found[one].opens)

    def not_handed_over(self, handed_over: Iterable[str]) -> tuple[str, ...]:
        """Return the ids of the parts that stay closed: no header of this key, or none that opened.

        Args:
            handed_over: ids of what a header was written for.
        """
        parts = {part.part_id for one in self.deposits for part in one.parts}
        return tuple(sorted(parts - set(handed_over)))


def parse_offer(unverified: bytes, sha256: object) -> Offer:
    """Return the offer whose digest somebody signed.

    Raises:
        OfferBroken: other bytes, or no offer.
    """
    if sha256_hex(unverified) != sha256:
        raise OfferBroken("the offer has another digest than the one that was logged")
    try:
        value = json.loads(unverified)
        if value.pop("format") != OFFER_FORMAT:
            raise ValueError("format")
        deposits = tuple(_deposit(one) for one in value.pop("deposits"))
        lists: dict[str, Any] = {name: tuple(value.pop(name)) for name in _LISTS}
        return Offer(deposits=deposits, **lists, **value)
    except (ValueError, KeyError, TypeError):
        raise OfferBroken("it is no offer of a version that this program knows") from None


def bundle_kinds(bundle: Iterable[str]) -> frozenset[str]:
    """Return the kinds of parts that a condition frees."""
    return frozenset().union(*(KINDS_OF_BUNDLE[one] for one in bundle))


def sealed_deposits(events: Iterable[Event], agreement_id: AgreementId) -> list[Event]:
    """Return the events of deposits that were sealed for an agreement, oldest first."""
    return [
        event
        for event in events
        if is_sealing(event)
        and agreement_id in {one[0] for one in cast("Sequence[Any]", event.data["agreements"])}
    ]


def is_sealing(event: Event) -> bool:
    """Tell whether an event is that of a deposit which was sealed, by the portal."""
    return (event.type, event.role) == (_SEALED, "portal")


def verdicts(events: Iterable[Event]) -> dict[str, tuple[str, str]]:
    """Return the newest verdict and level of each deposit, from an agreement's events.

    A second worker's report only ever lowers what the first one's said: a failure that it found
    stands, and what it could not test says nothing.
    """
    found: dict[str, tuple[str, str]] = {}
    for event in (one for one in events if one.role == "worker"):
        is_second = event.type == _CONFIRMATION and event.data["verdict"] == "fail"
        if event.type == _REPORT or is_second:
            reached = (str(event.data["verdict"]), str(event.data["level"]))
            found[str(event.data["deposit_id"])] = reached
    return found


def reporters(events: Iterable[ChainedEvent]) -> dict[str, tuple[str, ...]]:
    """Return which workers' keys reported on each deposit, from an agreement's proven events.

    A later round of the first worker's begins anew; a second worker's stands behind it.
    """
    found: dict[str, tuple[str, ...]] = {}
    for one in events:
        if (one.event.type, one.event.role) in ((_REPORT, "worker"), (_CONFIRMATION, "worker")):
            deposit_id = str(one.event.data["deposit_id"])
            before = found.get(deposit_id, ()) if one.event.type == _CONFIRMATION else ()
            found[deposit_id] = tuple(dict.fromkeys((*before, one.key_id)))
    return found


def offered_deposit(
    sealed: Event,
    receipt: bytes,
    earlier: Mapping[str, Mapping[str, str]],
    verdict: tuple[str, str] | None,
    kinds: frozenset[str],
    opening: frozenset[str],
) -> OfferedDeposit:
    """Return a deposit as it is offered.

    Args:
        sealed: the proven event.
        receipt: bytes of the receipt's statement; believed once they have the event's digest.
        earlier: deposit id → payload digest → id of the part that was sent in it.
        verdict: and level.
        kinds: of parts that the condition frees.
        opening: ids of the parts that have a header under the round's sealing key.

    Raises:
        OfferBroken: the receipt is another one, or a part is carried from nowhere.
    """
    if sha256_hex(receipt) != sealed.data["statement_sha256"]:
        raise OfferBroken(f"the receipt of {sealed.data['deposit_id']} is another one")
    predicate = json.loads(receipt)["predicate"]
    deposit_id = str(sealed.data["deposit_id"])
    parts = tuple(
        _offered_part(deposit_id, part, earlier, opening)
        for part in predicate["parts"]
        if part["kind"] in kinds
    )
    reached = verdict or (None, None)
    return OfferedDeposit(
        product_id=sealed.stream.id,
        deposit_id=deposit_id,
        number=cast("int", sealed.data["number"]),
        sealed_at=rfc3339(sealed.at),
        verdict=reached[0],
        level=reached[1],
        parts=parts,
    )


def sent_in(sealed: Event) -> dict[str, str]:
    """Return the parts that a deposit brought itself: payload digest → part id."""
    parts = cast("Sequence[Mapping[str, str]]", sealed.data["parts"])
    return {one["payload_sha256"]: one["part_id"] for one in parts if not one["carried_from"]}


def last_verified(deposits: Sequence[OfferedDeposit]) -> tuple[str, ...]:
    """Return of each product the newest deposit whose ordered level passed."""
    return _newest_of_each(one for one in deposits if one.verdict == "pass")


def last_before(deposits: Sequence[OfferedDeposit], filed_at: datetime) -> tuple[str, ...]:
    """Return of each product the newest deposit that was sealed before a moment."""
    return _newest_of_each(one for one in deposits if parse_rfc3339(one.sealed_at) <= filed_at)


def _newest_of_each(deposits: Iterable[OfferedDeposit]) -> tuple[str, ...]:
    # By number, since a product counts its own deposits and a clock may have been set back.
    newest: dict[str, OfferedDeposit] = {}
    for one in deposits:
        known = newest.get(one.product_id)
        if known is None or one.number > known.number:
            newest[one.product_id] = one
    return tuple(newest[product].deposit_id for product in sorted(newest))


def _offered_part(
    deposit_id: str,
    part: Mapping[str, Any],
    earlier: Mapping[str, Mapping[str, str]],
    opening: frozenset[str],
) -> OfferedPart:
    origin = part["carriedFrom"] or deposit_id
    part_id = earlier.get(origin, {}).get(part["payloadSha256"])
    if part_id is None:
        raise OfferBroken(f"part {part['id']} is carried from a deposit that did not bring it")
    return OfferedPart(
        deposit_id=origin,
        part_id=part_id,
        kind=part["kind"],
        payload_sha256=part["payloadSha256"],
        payload_size_bytes=part["payloadSizeBytes"],
        opens=part_id in opening,
    )


def _deposit(value: dict[str, Any]) -> OfferedDeposit:
    parts = tuple(OfferedPart(**one) for one in value.pop("parts"))
    return OfferedDeposit(parts=parts, **value)
