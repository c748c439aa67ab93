"""tus 1.0 as a raw ASGI application: headers, body and statuses; nothing else.

Core, creation, checksum, expiration and termination (tus.io/protocols/resumable-upload). What an
upload is, :mod:`escrow.deposits.uploads` knows. The body goes to the sealer in pieces of 1 MiB, in
a thread; the next piece is read only when the last was taken, so a fast client waits and memory
stays flat. A connection that drops leaves what it brought, and the next request goes on from
there. There is no multipart here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.utils import format_datetime
from functools import partial
from typing import TypeVar

from escrow.deposits.admission import DepositGate
from escrow.deposits.errors import (
    ChecksumUnknown,
    ChecksumWrong,
    UploadBusy,
    UploadGone,
    UploadMalformed,
    UploadTooLarge,
    UploadWrongType,
)
from escrow.deposits.uploads import (
    MAX_UPLOAD_BYTES,
    UploadDesk,
    UploadState,
    UploadWriter,
)
from escrow.ground.errors import EscrowError, Unavailable
from escrow.ground.identifiers import DepositId, UploadId
from escrow.portal.problems import MEDIA_TYPE, problem, problem_headers
from escrow.portal.tus_headers import (
    ALGORITHMS,
    Message,
    Receive,
    Request,
    Scope,
    checksum_of,
    number_of,
    take_apart,
    token_of,
    upload_request_of,
)

Send = Callable[[Message], Awaitable[None]]
Headers = dict[str, str]
Done = TypeVar("Done")

VERSION = "1.0.0"
EXTENSIONS = "creation,checksum,expiration,termination"
PIECE_MEDIA_TYPE = "application/offset+octet-stream"

# One hop into a thread for each network chunk costs half the speed; a MiB at a time costs little.
PIECE_BYTES = 1024 * 1024

# A client that says nothing for so long is gone; what it brought is kept.
IDLE_SECONDS = 60.0

# A piece with a checksum is taken whole or not at all, so it waits in scratch until it is known.
MAX_CHECKED_BYTES = 64 * 1024 * 1024

# How long a new request waits for one whose connection died unnoticed to let go.
TAKE_OVER_SECONDS = 10.0
_TAKE_OVER_PAUSE_SECONDS = 0.05

# What the protocol asks for beside the one table of the portal.
_STATUSES: Mapping[type[EscrowError], int] = {
    UploadGone: 410,
    UploadTooLarge: 413,
    ChecksumWrong: 460,
    ChecksumUnknown: 400,
    UploadMalformed: 400,
    UploadWrongType: 415,
}

_OURS = Unavailable(
    "The service met an error of its own.",
    "Ask for the offset with HEAD and go on; tell the operator if it stays.",
)

_log = logging.getLogger("escrow.portal.tus")


class ClientGone(Exception):
    """The client closed the line, or fell silent, before its request was complete."""


@dataclass(frozen=True)
class _Answer:
    """A status with headers; nothing in this protocol but a problem has a body."""

    status: int
    headers: Headers = field(default_factory=dict)


class _Line:
    """The body of one request, which a later request for the same upload may cut off."""

    def __init__(self, receive: Receive, idle_seconds: float) -> None:
        self._receive = receive
        self._idle_seconds = idle_seconds
        self._waiting: asyncio.Timeout | None = None
        self._is_cut = False
        self._more = True

    async def read(self) -> bytes | None:
        """Return the next bytes, None at the end.

        Raises:
            ClientGone: the line is dead, silent, or was cut.
        """
        if not self._more:
            return None
        if self._is_cut:
            raise ClientGone
        try:
            async with asyncio.timeout(self._idle_seconds) as self._waiting:
                message = await self._receive()
        except TimeoutError:
            raise ClientGone from None
        finally:
            self._waiting = None
        if message["type"] == "http.disconnect":
            raise ClientGone
        self._more = message.get("more_body", False)
        return bytes(message.get("body", b""))

    def cut(self) -> None:
        """End the wait for more."""
        self._is_cut = True
        if self._waiting is not None:
            with contextlib.suppress(RuntimeError):
                self._waiting.reschedule(asyncio.get_running_loop().time())


@dataclass(frozen=True)
class TusApp:
    """The application for ``…/deposits/{deposit}/uploads`` and what lies below it.

    Attributes:
        gate: admits principals.
        desk: holds the uploads.
        idle_seconds: how long a client may be silent.
    """

    gate: DepositGate
    desk: UploadDesk
    idle_seconds: float = IDLE_SECONDS
    _lines: dict[UploadId, _Line] = field(default_factory=dict, repr=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise RuntimeError("this application speaks HTTP only")
        try:
            answer = await self._answer(take_apart(scope, receive))
        except EscrowError as error:
            await _send_problem(send, error, with_body=scope["method"] != "HEAD")
        except ClientGone:
            _log.info("an upload was interrupted")
            await _send(send, _Answer(408))
        except Exception:
            # The edge: what nobody foresaw is ours, and the client hears so in the usual form.
            _log.exception("an upload request failed")
            await _send_problem(send, _OURS, with_body=scope["method"] != "HEAD")
        else:
            await _send(send, answer)

    async def _answer(self, request: Request) -> _Answer:
        if request.method == "OPTIONS":
            return _capabilities()
        if request.headers.get("tus-resumable") != VERSION:
            return _Answer(412)
        principal = await _in_thread(
            self.gate.admit_to_deposit, token_of(request), request.deposit_id
        )
        if request.upload_id is not None:
            return await self._answer_upload(request, request.upload_id)
        if request.method != "POST":
            return _Answer(405, {"Allow": "OPTIONS, POST"})
        wanted = upload_request_of(request)
        state = await _in_thread(self.desk.create, request.deposit_id, principal.token_id, wanted)
        location = f"{request.path.rstrip('/')}/{state.id}"
        return _Answer(201, {"Location": location, **_progress(state)})

    async def _answer_upload(self, request: Request, upload_id: UploadId) -> _Answer:
        if request.method == "HEAD":
            state = await _in_thread(self.desk.state, request.deposit_id, upload_id)
            length = {"Upload-Length": str(state.length), "Cache-Control": "no-store"}
            return _Answer(200, length | _progress(state))
        if request.method == "PATCH":
            await self._patch(request, upload_id)
            state = await _in_thread(self.desk.state, request.deposit_id, upload_id)
            return _Answer(204, _progress(state))
        if request.method == "DELETE":
            await _in_thread(self.desk.terminate, request.deposit_id, upload_id)
            return _Answer(204)
        return _Answer(405, {"Allow": "OPTIONS, HEAD, PATCH, DELETE"})

    async def _patch(self, request: Request, upload_id: UploadId) -> None:
        if request.headers.get("content-type") != PIECE_MEDIA_TYPE:
            raise UploadWrongType(
                "A piece of an upload has another content type.", f"Send {PIECE_MEDIA_TYPE}."
            )
        offset = number_of(request, "upload-offset")
        announced = request.headers.get("content-length", "")
        checksum = checksum_of(request)
        line = _Line(request.receive, self.idle_seconds)
        block, writer = await self._enter(request.deposit_id, upload_id, offset)
        self._lines[upload_id] = line
        try:
            if announced.isdigit():
                writer.check_room(int(announced))
            if checksum is None:
                await _take(writer, line)
            else:
                await self._take_checked(writer, line, *checksum)
        finally:
            del self._lines[upload_id]
            # Leaving secures what came, which takes the disk; an error of it replaces ours.
            await _in_thread(block.__exit__, *sys.exc_info())

    async def _enter(
        self, deposit_id: DepositId, upload_id: UploadId, offset: int
    ) -> tuple[contextlib.AbstractContextManager[UploadWriter], UploadWriter]:
        """Get the right to write; an older request that only waits for its dead client yields."""
        loop = asyncio.get_running_loop()
        until = loop.time() + TAKE_OVER_SECONDS
        while True:
            block = self.desk.writing(deposit_id, upload_id, offset)
            try:
                return block, await _in_thread(block.__enter__)
            except asyncio.CancelledError:
                # Entered before the cancellation was told: leave, or the upload stays locked.
                block.__exit__(None, None, None)
                raise
            except UploadBusy:
                older = self._lines.get(upload_id)
                if older is None or loop.time() > until:
                    raise
                older.cut()
                await asyncio.sleep(_TAKE_OVER_PAUSE_SECONDS)

    async def _take_checked(
        self, writer: UploadWriter, line: _Line, algorithm: str, wanted: bytes
    ) -> None:
        """Take a piece whole or not at all, as the checksum extension asks."""
        digest, size = ALGORITHMS[algorithm](), 0
        # A file without a name, in scratch: it is gone with the process, however that ends.
        with tempfile.TemporaryFile(dir=self.desk.scratch) as spool:
            while (chunk := await line.read()) is not None:
                size += len(chunk)
                if size > MAX_CHECKED_BYTES:
                    raise UploadTooLarge(
                        f"A piece with a checksum has at most {MAX_CHECKED_BYTES} bytes.",
                        "Send smaller pieces, or leave the checksum out.",
                    )
                digest.update(chunk)
                spool.write(chunk)
            if digest.digest() != wanted:
                raise ChecksumWrong(
                    "The piece that came is not the one that was hashed.",
                    "Nothing of it was kept; send it again from the same offset.",
                )
            writer.check_room(size)
            spool.seek(0)
            await _in_thread(writer.write_from, spool)


async def _take(writer: UploadWriter, line: _Line) -> None:
    piece = bytearray()
    try:
        while (chunk := await line.read()) is not None:
            piece += chunk
            if len(piece) >= PIECE_BYTES:
                full, piece = piece, bytearray()
                await _in_thread(writer.write, full)
    finally:
        # What came before the line broke is kept.
        if piece:
            await _in_thread(writer.write, piece)


async def _in_thread(call: Callable[..., Done], *arguments: object) -> Done:
    """Run a blocking call to its end, also when the waiter is cancelled: it holds the upload."""
    work = asyncio.get_running_loop().run_in_executor(None, partial(call, *arguments))
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError as signal:
            cancelled = signal
    result = work.result()
    if cancelled:
        raise cancelled
    return result


def _capabilities() -> _Answer:
    return _Answer(
        204,
        {
            "Tus-Extension": EXTENSIONS,
            "Tus-Max-Size": str(MAX_UPLOAD_BYTES),
            "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
        },
    )


def _progress(state: UploadState) -> Headers:
    expires = (
        {} if state.is_finished else {"Upload-Expires": format_datetime(state.expires_at, True)}
    )
    return {"Upload-Offset": str(state.offset), **expires}


async def _send(send: Send, answer: _Answer, body: bytes = b"") -> None:
    headers = {"Tus-Resumable": VERSION, "Tus-Version": VERSION, **answer.headers}
    if answer.status != 204:
        headers["Content-Length"] = str(len(body))
    fields = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


async def _send_problem(send: Send, error: EscrowError, *, with_body: bool) -> None:
    document = problem(error)
    document.status = next(
        (status for kind, status in _STATUSES.items() if isinstance(error, kind)), document.status
    )
    body = document.model_dump_json(exclude_none=True).encode() if with_body else b""
    headers = {"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store", **problem_headers(error)}
    await _send(send, _Answer(document.status, headers), body)
