"""Reports and the build log: what a verification found, for those who may read it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from escrow.deposits import records as deposits
from escrow.deposits.errors import DepositUnknown
from escrow.evidence.bundles import SignedDocument
from escrow.ground.database import Session
from escrow.ground.errors import InvalidInput
from escrow.ground.identifiers import DepositId
from escrow.parties.permissions import Verb
from escrow.portal.access import Asker, RoomsNeeded
from escrow.portal.finding import find_deposit
from escrow.portal.handing_out import agreements_read_under, handed_out
from escrow.portal.problems import documented
from escrow.portal.rooms import Rooms
from escrow.portal.routes.standing import report_for
from escrow.vault import records as vault
from escrow.verification import records
from escrow.verification.documents import LOG, MANIFEST, open_sealed_document, read_report
from escrow.verification.errors import LogNotFound, ReportNotFound
from escrow.verification.examinations import State, is_concluded
from escrow.verification.log import LogSlice, follow_live_log, log_folder, read_live_log
from escrow.verification.status import summarise_report

router = APIRouter(tags=["reports"])

# A live log is looked at this often; a person cannot tell it from at once.
LOOK_SECONDS = 0.25

# A reader without a new line for so long is told that the line lives (proxies cut silent ones).
LIFE_SECONDS = 15.0

# A verification that waits its turn is waited for this long by one connection; then the client
# comes again, with the id that it saw last.
WAIT_SECONDS = 300.0

# A build that ends no line for so long has its line cut: nobody reads it, and every reader of it
# would hold it in memory.
LINE_BYTES_MAX = 64 * 1024


class BadEventId(InvalidInput):
    """The id at which an event stream is to be resumed is none of its ids."""

    code = "reports.bad-event-id"


@router.get("/deposits/{deposit_id}/report", responses=documented(403, 404))
def report(
    rooms: RoomsNeeded, asker: Asker, deposit_id: str, second: bool = False
) -> dict[str, object]:
    """Return the signed report in the asker's disclosure class, and a summary of it.

    With ``second`` the report of a second worker on the same bytes, under a key of its own.
    """
    with rooms.database.reading() as session:
        row = find_deposit(session, asker, deposit_id, Verb.READ_REPORT)
        found = report_for(session, asker, row, second=second)
    if found is None:
        raise ReportNotFound
    stored = json.dumps(read_report(found, rooms.blobs, rooms.keyholder, rooms.database))
    with rooms.database.reading() as session:
        text = handed_out(session, rooms, stored, agreements_read_under(session, asker, row))
    document = json.loads(text)
    signed = SignedDocument.from_json(text)
    predicate = json.loads(signed.envelope.payload)["predicate"]
    return {"summary": summarise_report(predicate), "document": document}


@router.get("/deposits/{deposit_id}/manifest", responses=documented(403, 404))
def manifest(rooms: RoomsNeeded, asker: Asker, deposit_id: str) -> Response:
    """Return the list of all files with their digests; the vendor's unless the terms say more."""
    with rooms.database.reading() as session:
        row = find_deposit(session, asker, deposit_id, Verb.READ_LOG)
        sealed = _sealed(session, row, MANIFEST)
    if sealed is None:
        raise ReportNotFound
    pieces = open_sealed_document(rooms.blobs, rooms.keyholder, sealed)
    return StreamingResponse(pieces, media_type="application/json")


@router.get("/deposits/{deposit_id}/log", responses=documented(403, 404))
def log(
    rooms: RoomsNeeded,
    asker: Asker,
    deposit_id: str,
    follow: bool = True,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Stream the build log as server-sent events, live while it is written, sealed afterwards.

    The id of an event is the byte offset after it; a client that comes again with
    ``Last-Event-ID`` misses nothing. ``event: end`` says that no more will come.
    """
    with rooms.database.reading() as session:
        row = find_deposit(session, asker, deposit_id, Verb.READ_LOG)
    if row.state != "sealed":
        raise DepositUnknown
    offset = _offset(last_event_id)
    _check_offset(rooms, row, offset)
    return StreamingResponse(
        _paced(_events(rooms, row, offset, follow=follow)),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _sealed(session: Session, row: deposits.Deposit, kind: str) -> vault.DocumentRow | None:
    found = [one for one in vault.documents_of(session, DepositId(row.id)) if one.kind == kind]
    return found[-1] if found else None


def _offset(text: str | None) -> int:
    if text is None or text == "":
        return 0
    if not text.isdecimal() or len(text) > 15:
        raise BadEventId(
            f"{text[:40]!r} is no id of this stream.", "Send the last 'id:' that came, or none."
        )
    return int(text)


def _check_offset(rooms: Rooms, deposit: deposits.Deposit, offset: int) -> None:
    """Refuse an id that no live log has reached: once the stream runs, nothing can be refused.

    Raises:
        LogOffsetUnknown: the log is shorter.
    """
    examination, _ = _present(rooms, deposit)
    if examination is not None:
        with contextlib.suppress(LogNotFound):
            read_live_log(log_folder(rooms.log_scratch, examination.id), offset, 0)


async def _paced(events: Iterator[bytes | None]) -> AsyncIterator[bytes]:
    """Yield the events; wait where there is none, without one of the threads that all share."""
    told = time.monotonic()
    while (event := await run_in_threadpool(next, events, b"")) != b"":
        if event is None:
            await asyncio.sleep(LOOK_SECONDS)
            if time.monotonic() - told <= LIFE_SECONDS:
                continue
        told = time.monotonic()
        yield event or b": waiting\n\n"


def _events(
    rooms: Rooms, deposit: deposits.Deposit, offset: int, *, follow: bool
) -> Iterator[bytes | None]:
    """Yield the log from an offset on: what is live, else what is sealed; None: wait for either."""
    began = time.monotonic()
    while True:
        examination, sealed = _present(rooms, deposit)
        if sealed is not None:
            yield from _from_sealed(rooms, sealed, offset)
            return
        if examination is not None:
            for piece in _whole_lines(_live(rooms, examination, offset, follow=follow)):
                yield _rendered(piece) if piece.data else None
                offset = piece.next_offset
        concluded = examination is not None and is_concluded(State(examination.state))
        if not follow or concluded:
            # No log was ever written, or all that there is was said.
            yield b"event: end\ndata: \n\n"
            return
        if time.monotonic() - began > WAIT_SECONDS:
            return
        yield None


def _present(
    rooms: Rooms, deposit: deposits.Deposit
) -> tuple[records.ExaminationRow | None, vault.DocumentRow | None]:
    with rooms.database.reading() as session:
        examination = records.newest_examination(session, DepositId(deposit.id))
        return examination, _sealed(session, deposit, LOG)


def _live(
    rooms: Rooms, examination: records.ExaminationRow, offset: int, *, follow: bool
) -> Iterator[LogSlice]:
    folder = log_folder(rooms.log_scratch, examination.id)
    try:
        if follow:
            yield from follow_live_log(folder, offset)
        else:
            while (piece := read_live_log(folder, offset)).data:
                yield piece
                offset = piece.next_offset
    except LogNotFound:
        # Not begun yet, or sealed this very moment: the caller looks again.
        return


def _from_sealed(rooms: Rooms, sealed: vault.DocumentRow, offset: int) -> Iterator[bytes]:
    pieces = _sealed_slices(rooms, sealed, offset)
    yield from (_rendered(piece) for piece in _whole_lines(pieces))
    yield b"event: end\ndata: \n\n"


def _sealed_slices(rooms: Rooms, sealed: vault.DocumentRow, offset: int) -> Iterator[LogSlice]:
    position = 0
    for piece in open_sealed_document(rooms.blobs, rooms.keyholder, sealed):
        following = position + len(piece)
        if following > offset:
            yield LogSlice(piece[max(0, offset - position) :], following, ended=False)
        position = following


def _whole_lines(pieces: Iterator[LogSlice]) -> Iterator[LogSlice]:
    """Yield the same bytes cut at line ends; what lacks its end comes last, or when too long.

    An empty slice stands for a pause and is passed on.
    """
    held, position = b"", 0
    for piece in pieces:
        data, position = held + piece.data, piece.next_offset
        cut = data.rfind(b"\n") + 1
        if len(data) - cut > LINE_BYTES_MAX:
            cut = len(data)
        held = data[cut:]
        if cut or not piece.data:
            yield LogSlice(data[:cut], position - len(held), ended=False)
    if held:
        yield LogSlice(held, position, ended=True)


def _rendered(piece: LogSlice) -> bytes:
    """Return a slice as one event; control characters of a build never reach a terminal raw."""
    if not piece.data:
        return b": \n\n"
    text = piece.data.decode("utf-8", "replace")
    lines = text.removesuffix("\n").split("\n")
    shown = [f"data: {_plain(line)}" for line in lines]
    return ("\n".join([f"id: {piece.next_offset}", "event: log", *shown]) + "\n\n").encode()


def _plain(line: str) -> str:
    return "".join(c if c.isprintable() or c == "\t" else " " for c in line.rstrip("\r"))
