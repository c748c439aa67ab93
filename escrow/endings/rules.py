"""May this end? Pure rules over what the ledger says; the keyholder asks them with proven events.

Guarantees: nothing ends while a hold stands or a release request is open under any agreement that
it serves; an agreement is destroyed only after service on every beneficiary, the grace period and
the words of k agents. Nobody's payment is known here, so it blocks and ends nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from agreements.periods import deemed_service, end_of
from agreements.terms import Agreement
from escrow.endings.errors import (
    BeneficiaryNotServed,
    EndingStepNotPossible,
    EndingTooEarly,
    HoldStands,
    LastBuildable,
    RequestOpen,
    TooFewWords,
    WordOutdated,
)
from escrow.endings.folding import Ending
from escrow.endings.states import Kind, State, Step
from escrow.endings.subjects import day_of, own_fields
from escrow.ground.clock import rfc3339
from escrow.ground.identifiers import AgreementId
from escrow.ledger.chains import ChainedEvent
from escrow.ledger.events import Event
from escrow.releases.errors import AgreementChanged
from escrow.releases.history import Given
from escrow.releases.offers import is_sealing, sealed_deposits

DEPOSIT_INTENDED = "endings:deposit:intended"
DEPOSIT_SHREDDED = "endings:deposit:shredded"

# No agreement can make retention shorter: claims over a release come long after the fact.
MIN_RETENTION_MONTHS = 12

_WITHDRAWN = frozenset({State.QUARANTINED, State.SHREDDING, State.SHREDDED})


@dataclass(frozen=True)
class Sight:
    """What one agreement's stream says, folded.

    Args:
        endings: every hold, withdrawal and destruction by its id.
        open_requests: ids of release requests that have not ended.
        verdicts: deposit id → newest verdict and level under this agreement.
    """

    agreement_id: AgreementId
    terms: Agreement
    version: int
    endings: Mapping[str, Ending]
    open_requests: tuple[str, ...]
    verdicts: Mapping[str, tuple[str, str]]

    def of_kind(self, kind: Kind, *states: State) -> list[Ending]:
        """Return the endings of a kind that stand in one of these states."""
        return [one for one in self.endings.values() if one.kind is kind and one.state in states]


@dataclass(frozen=True)
class Product:
    """One product's history and every agreement that it was ever sealed for.

    Args:
        events: of the product's stream.
        sights: of each agreement by id.
    """

    events: Sequence[Event]
    sights: Mapping[str, Sight]

    @property
    def sealings(self) -> dict[str, Event]:
        """Every deposit's sealing by the deposit's id, oldest first; a second is none."""
        found: dict[str, Event] = {}
        for one in self.events:
            if is_sealing(one):
                found.setdefault(str(one.data["deposit_id"]), one)
        return found

    @property
    def gone(self) -> frozenset[str]:
        """Deposits that the keyholder shredded."""
        return shredded_deposits(self.events)

    @property
    def intended(self) -> frozenset[str]:
        """Deposits whose shredding was intended; it is carried out, whatever came after."""
        return _named(self.events, DEPOSIT_INTENDED)

    @property
    def withdrawn(self) -> frozenset[str]:
        """Deposits that are, or are to be, withdrawn under any agreement."""
        return frozenset(
            one.own["deposit_id"]
            for sight in self.sights.values()
            for one in sight.of_kind(Kind.WITHDRAWAL, *_WITHDRAWN)
        )

    def serving(self, deposit_id: str) -> list[Sight]:
        """Return the agreements that a deposit serves and that were not destroyed."""
        # Of every sealing: a portal that logs a second one takes no agreement's hold away.
        named = {
            agreement
            for one in self.events
            if is_sealing(one) and one.data["deposit_id"] == deposit_id
            for agreement in agreements_named(one)
        }
        found = [self.sights[one] for one in sorted(named)]
        return [one for one in found if not one.of_kind(Kind.DESTRUCTION, State.DESTROYED)]

    def withdrawal_of(self, deposit_id: str) -> tuple[Sight, Ending] | None:
        """Return the withdrawal that is under way for a deposit, and under which agreement."""
        for sight in self.sights.values():
            for one in sight.of_kind(Kind.WITHDRAWAL, State.QUARANTINED, State.SHREDDING):
                if one.own["deposit_id"] == deposit_id:
                    return sight, one
        return None


def shredded_deposits(events: Iterable[Event]) -> frozenset[str]:
    """Return the deposits of a product that the keyholder shredded, from its events."""
    return _named(events, DEPOSIT_SHREDDED)


def agreements_named(sealed: Event) -> list[str]:
    """Return the ids of the agreements that a deposit was sealed for."""
    return [str(one[0]) for one in cast("Sequence[Any]", sealed.data["agreements"])]


def check_nothing_stands(sights: Iterable[Sight]) -> None:
    """Return when no hold stands and no release request is open under these agreements.

    Raises:
        HoldStands, RequestOpen: one is.
    """
    for sight in sights:
        for hold in sight.of_kind(Kind.HOLD, State.PLACED):
            raise HoldStands(hold.id)
        for request_id in sight.open_requests:
            raise RequestOpen(request_id)


def check_replaced(product: Product, deposit_id: str) -> None:
    """Return when every agreement keeps something as good without this deposit.

    A buildable one is let go only for a newer buildable one, another only while one is left.

    Raises:
        LastBuildable: one does not.
    """
    out = (product.withdrawn | product.gone | product.intended) - {deposit_id}
    for sight in product.serving(deposit_id):
        sealed = sealed_deposits(product.events, sight.agreement_id)
        number = next(_number(one) for one in sealed if one.data["deposit_id"] == deposit_id)
        others = [one for one in sealed if one.data["deposit_id"] not in {*out, deposit_id}]
        if _passed(sight, deposit_id):
            others = [
                one
                for one in others
                if _number(one) > number and _passed(sight, str(one.data["deposit_id"]))
            ]
        if not others:
            raise LastBuildable


def check_withdrawable(product: Product, deposit_id: str, now: datetime) -> Ending:
    """Return the withdrawal that is due for a deposit, when nothing stands against it.

    Raises:
        EndingStepNotPossible: none is under way.
        EndingTooEarly: it is still in quarantine.
        HoldStands, RequestOpen, LastBuildable: see :func:`check_nothing_stands` and
            :func:`check_replaced`.
    """
    found = product.withdrawal_of(deposit_id)
    if found is None:
        raise EndingStepNotPossible(Step.INTEND_SHREDDING, "not withdrawn")
    sight, ending = found
    ends_at = quarantine_ends_at(sight, ending)
    if now <= ends_at:
        raise EndingTooEarly(rfc3339(ends_at))
    check_nothing_stands(product.serving(deposit_id))
    check_replaced(product, deposit_id)
    return ending


def quarantine_ends_at(sight: Sight, withdrawal: Ending) -> datetime:
    """Return when a withdrawn deposit may be shredded."""
    return withdrawal.begun.at + timedelta(days=sight.terms.endings.withdrawal_days)


def droppable(product: Product, now: datetime) -> list[str]:
    """Return the deposits that retention drops now, oldest first.

    Every agreement that a deposit serves has to state a term, and it has to be older than the
    longest; the newest deposit of each level that was reached, and the newest of all, are kept.
    """
    found = []
    for deposit_id, sealed in product.sealings.items():
        serving = product.serving(deposit_id)
        if deposit_id in product.gone or not serving:
            continue
        months = [one.terms.endings.retention_months for one in serving]
        if 0 in months or sealed.at > _months_before(now, max(*months, MIN_RETENTION_MONTHS)):
            continue
        if not any(deposit_id in _last_ones(product, one) for one in serving):
            found.append(deposit_id)
    return found


def payloads_to_shred(product: Product, deposit_id: str) -> list[str]:
    """Return the payloads of a deposit that no other retained deposit carries or brought.

    A payload is sealed once under a key of its own, so its digest names its header records too.
    """
    kept = {
        payload
        for other, sealed in product.sealings.items()
        if other != deposit_id and other not in product.gone
        for payload in _payloads(sealed)
    }
    return sorted(_payloads(product.sealings[deposit_id]) - kept)


def parts_of_payloads(product: Product, payloads: Iterable[str]) -> list[str]:
    """Return the ids under which payloads were sent; their headers hang on these."""
    wanted = set(payloads)
    return sorted(
        part["part_id"]
        for sealed in product.sealings.values()
        for part in cast("Sequence[Mapping[str, str]]", sealed.data["parts"])
        if part["payload_sha256"] in wanted and not part["carried_from"]
    )


# --- destruction ------------------------------------------------------------------------------


def grace_ends_at(destruction: Ending, terms: Agreement) -> datetime:
    """Return when the period after the last beneficiary's service ends.

    Raises:
        BeneficiaryNotServed: on one service is not proven.
    """
    days = {name: day for name, (day, _) in served(destruction, terms).items()}
    for party in terms.beneficiaries:
        if party.organisation not in days:
            raise BeneficiaryNotServed(party.organisation)
    # Whatever day is stated: nobody was served before there was a request.
    last = max(destruction.begun.at, *(days[one.organisation] for one in terms.beneficiaries))
    return end_of((last + timedelta(days=terms.endings.destruction_grace_days)).date())


def served(destruction: Ending, terms: Agreement) -> dict[str, tuple[datetime, Given]]:
    """Return when each beneficiary was first served, and by which act.

    What one of two who sign jointly acknowledges serves nobody before the other does too.
    """
    found, halves = dict[str, tuple[datetime, Given]](), dict[str, set[str]]()
    for one in destruction.given(Step.SERVE, Step.SERVE_IN_PART):
        organisation, day = service_of(one, terms)
        if one.signatory.signs == "joint":
            keys = halves.setdefault(organisation, set())
            keys.add(one.signatory.signing_key)
            if len(keys) < 2:
                continue
        found.setdefault(organisation, (day, one))
    return found


def service_of(given: Given, terms: Agreement) -> tuple[str, datetime]:
    """Return upon whom and when an act states service; a beneficiary's own word from today on."""
    if given.act.name == "acknowledge-destruction":
        return given.signatory.organisation, given.at
    own = own_fields(given.act)
    day = day_of(own)
    counted = deemed_service(terms, day) if own["method"] == "deemed" else day
    return own["beneficiary"], datetime.combine(counted, datetime.min.time(), UTC)


def decide_destruction(
    destruction: Ending, sight: Sight, events: Sequence[ChainedEvent], now: datetime
) -> list[Given]:
    """Return the words of k agents or more, when everything may be destroyed.

    1. It waits for the agents, under the text in force. 2. Every beneficiary was served, and the
    grace period is over by this clock and by the ledger's. 3. No hold, no open request. 4. k
    different agents said exactly this after that.

    Raises:
        EndingStepNotPossible, AgreementChanged: question 1.
        BeneficiaryNotServed, EndingTooEarly: question 2.
        HoldStands, RequestOpen: question 3.
        TooFewWords: question 4.
    """
    # 1., 2.
    check_confirmable(destruction, sight.endings, sight.terms, sight.version, now)
    # 3.
    check_nothing_stands([sight])
    # 4.
    words: dict[str, Given] = {}
    for one in destruction.given(Step.CONFIRM):
        if is_word(one, destruction, sight.terms, events):
            words.setdefault(one.signatory.signing_key, one)
    if len(words) < sight.terms.sealing.k:
        raise TooFewWords(len(words), sight.terms.sealing.k)
    return list(words.values())


def check_confirmable(
    destruction: Ending,
    endings: Mapping[str, Ending],
    terms: Agreement,
    version: int,
    now: datetime,
) -> datetime:
    """Return when the grace period ended, once agents may confirm.

    Args:
        endings: all of the agreement; no hold among them may stand.

    Raises:
        EndingStepNotPossible, AgreementChanged, BeneficiaryNotServed, EndingTooEarly, HoldStands:
            they may not.
    """
    if destruction.kind is not Kind.DESTRUCTION or destruction.state is not State.CONFIRMING:
        raise EndingStepNotPossible(Step.CONFIRM, destruction.state)
    if destruction.version != version:
        raise AgreementChanged
    # Two clocks: that of whoever asks now, and that of the ledger's entry which says so.
    ends_at, ended = grace_ends_at(destruction, terms), destruction.mark(Step.END_GRACE)
    if now <= ends_at or ended is None or ended.at <= ends_at:
        raise EndingTooEarly(rfc3339(ends_at))
    for one in endings.values():
        if (one.kind, one.state) == (Kind.HOLD, State.PLACED):
            raise HoldStands(one.id)
    return ends_at


def check_word(
    given: Given, destruction: Ending, terms: Agreement, events: Sequence[ChainedEvent]
) -> None:
    """Return when an agent's confirmation counts.

    Raises:
        WordOutdated: about another text, or he had not seen the grace period's end.
    """
    if not is_word(given, destruction, terms, events):
        raise WordOutdated


def is_word(
    given: Given, destruction: Ending, terms: Agreement, events: Sequence[ChainedEvent]
) -> bool:
    """Return whether an agent's confirmation counts for this destruction."""
    own, ended = own_fields(given.act), destruction.mark(Step.END_GRACE)
    seen = next(
        (one.event.sequence for one in events if one.entry_sha256 == own["ledger_head"]), -1
    )
    pinned = {one.signing_key for one in terms.agents}
    return (
        ended is not None
        and seen >= ended.place
        and own["text_sha256"] == terms.text_sha256
        and given.signatory.signing_key in pinned
    )


def _last_ones(product: Product, sight: Sight) -> set[str]:
    """Return what an agreement keeps whatever its age: the newest, and the newest of each level."""
    out = product.gone | product.withdrawn | product.intended
    newest: dict[str, str] = {}
    for sealed in sealed_deposits(product.events, sight.agreement_id):
        deposit_id = str(sealed.data["deposit_id"])
        if deposit_id in out:
            continue
        newest["sealed"] = deposit_id
        verdict, level = sight.verdicts.get(deposit_id, ("", "received"))
        newest[f"level {level}"] = deposit_id
        newest[f"verdict {verdict}"] = deposit_id
    return set(newest.values())


def _passed(sight: Sight, deposit_id: str) -> bool:
    return sight.verdicts.get(deposit_id, ("", ""))[0] == "pass"


def _number(sealed: Event) -> int:
    return cast("int", sealed.data["number"])


def _payloads(sealed: Event) -> set[str]:
    parts = cast("Sequence[Mapping[str, str]]", sealed.data["parts"])
    return {one["payload_sha256"] for one in parts}


def _named(events: Iterable[Event], event_type: str) -> frozenset[str]:
    return frozenset(
        str(one.data["deposit_id"])
        for one in events
        if (one.type, one.role) == (event_type, "keyholder")
    )


def _months_before(moment: datetime, months: int) -> datetime:
    """Return the same day some months earlier; the last of a shorter month."""
    years, month = divmod(moment.year * 12 + moment.month - 1 - months, 12)
    for day in range(moment.day, 0, -1):
        try:
            return moment.replace(year=years, month=month + 1, day=day)
        except ValueError:
            continue
    raise AssertionError("every month has a first day")
