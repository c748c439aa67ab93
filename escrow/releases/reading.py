"""Requests for those who ask: their history from the ledger, and what happens next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from agreements.requests import NEXT, State
from agreements.terms import Agreement
from escrow.ground.database import Session
from escrow.ground.identifiers import AgreementId, RequestId
from escrow.ledger.chains import ChainedEvent
from escrow.ledger.events import Stream
from escrow.ledger.reading import PAGE_ENTRIES, read_stream
from escrow.register.reading import AgreementView, read_version, view_of
from escrow.releases import records
from escrow.releases.decision import periods_of_history, silence_ends_at
from escrow.releases.errors import RequestUnknown
from escrow.releases.history import History, fold


@dataclass(frozen=True)
class OpenedRequest:
    """A request with the terms that it is under and everything that has happened to it.

    Attributes:
        in_force: the version that governs now; another one than the request's voids it.
        events: of the agreement's stream, as the rows have them.
    """

    row: records.ReleaseRequestRow
    terms: Agreement
    in_force: int | None
    history: History
    events: tuple[ChainedEvent, ...]

    @property
    def id(self) -> RequestId:
        """Its id."""
        return RequestId(self.row.id)

    @property
    def agreement_id(self) -> AgreementId:
        """The agreement that it is under."""
        return AgreementId(self.row.agreement_id)

    @property
    def stream(self) -> Stream:
        """The stream in which its events stand."""
        return Stream("agreement", self.row.agreement_id)

    def due(self) -> tuple[str, datetime] | None:
        """Return what ends next by the clock, and when; None where no clock runs."""
        periods = periods_of_history(self.history, self.terms)
        if periods is None:
            return None
        if self.history.state is State.CURING and periods.cure_ends_at:
            return "cure period", periods.cure_ends_at
        ends_at = silence_ends_at(self.history, self.terms)
        if self.history.state is State.OBJECTION_WINDOW and ends_at:
            return "objection period", ends_at
        return None

    def next_sentence(self) -> str:
        """Return what happens next, in a sentence."""
        return NEXT[self.history.state]


def open_request(session: Session, request_id: RequestId) -> OpenedRequest:
    """Return a request.

    Raises:
        RequestUnknown: none of this id.
        HistoryBroken: its events cannot be true.
    """
    row = records.request_by_id(session, request_id)
    if row is None:
        raise RequestUnknown
    agreement_id = AgreementId(row.agreement_id)
    terms, _ = read_version(session, agreement_id, row.version)
    events = events_of(session, agreement_id)
    history = fold(events, request_id, terms)
    view: AgreementView = view_of(session, agreement_id)
    return OpenedRequest(row, terms, view.in_force_version, history, events)


def events_of(session: Session, agreement_id: AgreementId) -> tuple[ChainedEvent, ...]:
    """Return every event of an agreement, sequenced or not, as the rows have them.

    Raises:
        EntryMalformed: a row holds no entry.
    """
    stream = Stream("agreement", agreement_id)
    found: list[ChainedEvent] = []
    while page := read_stream(session, stream, from_sequence=len(found)):
        found += [ChainedEvent(one.entry_sha256, one.event) for one in page]
        if len(page) < PAGE_ENTRIES:
            break
    return tuple(found)
