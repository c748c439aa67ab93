"""Endings for those who ask: agreements and products as rules look at them, from some events.

Which events, is the caller's: the portal gives those of its rows, the keyholder proven ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agreements.requests import FINAL
from agreements.terms import Agreement
from escrow.deposits import records as deposits
from escrow.deposits.errors import DepositUnknown
from escrow.endings import records
from escrow.endings.errors import EndingUnknown
from escrow.endings.folding import Ending, fold_endings, terms_at
from escrow.endings.rules import Product, Sight, agreements_named
from escrow.ground.database import Session
from escrow.ground.identifiers import AgreementId, DepositId, ProductId, RequestId
from escrow.ledger.chains import ChainedEvent
from escrow.ledger.events import Stream
from escrow.ledger.reading import PAGE_ENTRIES, read_stream
from escrow.register.governing import texts_of
from escrow.register.reading import read_version
from escrow.releases.history import fold, request_named
from escrow.releases.offers import is_sealing, verdicts
from escrow.releases.reading import events_of

# Gives the events of a stream, as far as the caller believes them.
EventsOf = Callable[[Stream], Sequence[ChainedEvent]]


@dataclass(frozen=True)
class OpenedEnding:
    """An ending with what its agreement says."""

    row: records.EndingRow
    ending: Ending
    sight: Sight
    events: Sequence[ChainedEvent]


def sight_of(session: Session, agreement_id: AgreementId, events: Sequence[ChainedEvent]) -> Sight:
    """Return an agreement as rules look at it.

    Raises:
        EndingHistoryBroken, HistoryBroken: its events cannot be true.
    """

    def read(version: int) -> Agreement:
        return read_version(session, agreement_id, version)[0]

    texts = texts_of(events, read)
    endings = fold_endings(events, texts)
    terms, version = terms_at(texts, len(events))
    return Sight(
        agreement_id=agreement_id,
        terms=terms,
        version=version,
        endings=endings,
        open_requests=_open_requests(events, read),
        verdicts=verdicts(one.event for one in events),
    )


def product_of(session: Session, product_id: ProductId, events_of: EventsOf) -> Product:
    """Return a product with every agreement that any of its deposits was sealed for.

    Raises:
        EndingHistoryBroken, HistoryBroken: events cannot be true.
    """
    events = [one.event for one in events_of(Stream("product", product_id))]
    named = {agreement for one in events if is_sealing(one) for agreement in agreements_named(one)}
    sights = {
        one: sight_of(session, AgreementId(one), events_of(Stream("agreement", one)))
        for one in sorted(named)
    }
    return Product(events, sights)


def product_id_of(session: Session, deposit_id: str) -> ProductId:
    """Return whose deposit it is.

    Raises:
        DepositUnknown: there is none.
    """
    row = deposits.deposit_by_id(session, DepositId(deposit_id))
    if row is None:
        raise DepositUnknown
    return ProductId(row.product_id)


def rows_of(session: Session) -> EventsOf:
    """Return the reader of events as the rows have them, sequenced or not."""

    def read(stream: Stream) -> Sequence[ChainedEvent]:
        if stream.kind == "agreement":
            return events_of(session, AgreementId(stream.id))
        found: list[ChainedEvent] = []
        while page := read_stream(session, stream, from_sequence=len(found)):
            found += [ChainedEvent(one.entry_sha256, one.event) for one in page]
            if len(page) < PAGE_ENTRIES:
                break
        return found

    return read


def open_ending(session: Session, ending_id: str) -> OpenedEnding:
    """Return an ending as the rows have it.

    Raises:
        EndingUnknown: none of this id.
        EndingHistoryBroken: its events cannot be true.
    """
    row = records.ending_by_id(session, ending_id)
    if row is None:
        raise EndingUnknown
    events = events_of(session, AgreementId(row.agreement_id))
    sight = sight_of(session, AgreementId(row.agreement_id), events)
    ending = sight.endings.get(ending_id)
    if ending is None:
        raise EndingUnknown
    return OpenedEnding(row, ending, sight, events)


def _open_requests(
    events: Sequence[ChainedEvent], read: Callable[[int], Agreement]
) -> tuple[str, ...]:
    found: dict[str, int] = {}
    for one in events:
        subject = request_named(one.event) if one.event.role == "portal" else None
        if subject is not None:
            found[subject.request_id] = subject.version
    return tuple(
        request_id
        for request_id, version in found.items()
        if fold(_of(events, request_id), RequestId(request_id), read(version)).state not in FINAL
    )


def _of(events: Sequence[ChainedEvent], request_id: str) -> list[ChainedEvent]:
    return [one for one in events if one.event.data.get("request_id") == request_id]
