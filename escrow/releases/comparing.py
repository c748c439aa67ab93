"""What the ledger says of requests and releases, beside their rows."""

from __future__ import annotations

from collections.abc import Iterator

from agreements.requests import EVENT, State, Step
from escrow.ground.database import Session, every_row
from escrow.ground.errors import EscrowError
from escrow.ground.identifiers import RequestId
from escrow.ledger.comparing import Comparer, Facts, Key, States
from escrow.ledger.reading import RecordedEvent
from escrow.releases.reading import open_request
from escrow.releases.records import ReleaseCertificateRow, ReleaseRequestRow

# What the keyholder does stands in the ledger first; the row repeats it when the upkeep comes by.
_KEYHOLDERS = frozenset({State.CONFIRMING, State.EXECUTING, State.RELEASED})
_BEFORE = _KEYHOLDERS | {State.APPROVED}


def _request(states: States, recorded: RecordedEvent) -> None:
    request_id = str(recorded.event.data["request_id"])
    states[(request_id,)] = {"agreement_id": recorded.event.stream.id, "state_fits": True}


def _requests(session: Session) -> Iterator[tuple[Key, Facts]]:
    known = {
        str(row.id): (row.agreement_id, row.state) for row in every_row(session, ReleaseRequestRow)
    }
    for request_id, (agreement_id, state) in known.items():
        fits = _state_fits(session, RequestId(request_id), state)
        yield (request_id,), {"agreement_id": agreement_id, "state_fits": fits}


def _state_fits(session: Session, request_id: RequestId, state: str) -> bool:
    """Tell whether a row's state is the one that its events lead to, or waits for the upkeep."""
    try:
        events_say = open_request(session, request_id).history.state
    except EscrowError:
        # The agreement that it stands under is gone or altered: then nothing fits.
        return False
    return state == events_say or (events_say in _KEYHOLDERS and state in _BEFORE)


def _certificate(states: States, recorded: RecordedEvent) -> None:
    data = recorded.event.data
    states[(str(data["request_id"]),)] = {
        "statement_sha256": data["statement_sha256"],
        "entry_sha256": recorded.entry_sha256,
    }


def _certificates(session: Session) -> Iterator[tuple[Key, Facts]]:
    for row in every_row(session, ReleaseCertificateRow):
        facts: Facts = {"statement_sha256": row.statement_sha256}
        yield (row.request_id,), facts | {"entry_sha256": row.entry_sha256}


COMPARERS = (
    Comparer("release_request", frozenset({EVENT[Step.FILE]}), _request, _requests),
    Comparer("release_certificate", frozenset({EVENT[Step.EXECUTE]}), _certificate, _certificates),
)
