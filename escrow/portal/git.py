"""Git's smart HTTP as a raw ASGI application: headers, credentials, body; nothing else.

Raw, because the body is read while the answer is written: one consumer of ``receive`` and no
response class that listens for the disconnect beside it. What a push means is
:mod:`escrow.deposits.pushing`; here it becomes HTTP (gitprotocol-http(5)).

There is no way out through this door: ``git-upload-pack`` is refused whoever asks.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import logging
import re
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qs

from escrow import __version__
from escrow.deposits.errors import FetchRefused, ProductUnknown, PushMalformed, PushTooSlow
from escrow.deposits.git_wire import advertisement
from escrow.deposits.pushing import PushReception, PushTarget
from escrow.ground.errors import EscrowError, NotAuthenticated, Unavailable
from escrow.portal.problems import problem_headers, status_of

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# A client that says nothing for so long is gone or holds a place for nothing.
IDLE_SECONDS = 120.0

# A pack of 5 GiB over a line of 12 Mbit/s takes an hour.
PUSH_SECONDS = 2 * 3600.0

# Answers are short; this only bounds one piece out of the decompressor.
_INFLATED_BYTES = 256 * 1024

_PATH = re.compile(
    r"/(?P<vendor>[^/]+)/(?P<product>[^/]+)/(?P<repository>[^/]+?)\.git"
    r"/(?P<service>info/refs|git-receive-pack|git-upload-pack)"
)
_NO_CACHE = [(b"cache-control", b"no-cache, max-age=0, must-revalidate")]

_OURS = Unavailable(
    "The service met an error of its own.", "Push again, and tell the operator if it stays."
)

_log = logging.getLogger("escrow.portal.git")


class ClientGone(Exception):
    """The client closed the line before its request was complete."""


class PushGate(Protocol):
    """Whoever decides who may push where; blocking."""

    def admit(self, token: str, vendor: str, product: str, repository: str) -> PushTarget:
        """Return where the push goes.

        Raises:
            NotAuthenticated: no such token, or no longer valid.
            NotFound: no such repository, or not this principal's.
            Refused: not now, or not with this token; the remedy says why.
        """
        ...


@dataclass(frozen=True)
class GitReceiveApp:
    """The application at ``/git``; mount it there, its paths begin with the vendor.

    Attributes:
        gate: admits principals.
        reception: answers pushes.
        idle_seconds: how long a client may be silent.
    """

    gate: PushGate
    reception: PushReception
    idle_seconds: float = IDLE_SECONDS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise RuntimeError("this application speaks HTTP only")
        begun = False

        async def noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._answer(scope, receive, noting)
        except EscrowError as error:
            if begun:
                raise
            await _send_error(send, error)
        except TimeoutError:
            _log.info("a push took too long")
            if not begun:
                await _send_error(send, PushTooSlow("The push took too long.", "Push again."))
        except ClientGone:
            _log.info("a client left before its push was complete")
        except Exception:
            # The edge: what nobody foresaw is ours, and git's user hears so.
            _log.exception("a push request failed")
            if begun:
                raise
            await _send_error(send, _OURS)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        found = _PATH.fullmatch(path)
        if not found:
            raise ProductUnknown
        token = _token(scope)
        service = found["service"]
        asked = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("service", [""])[0]
        target = await asyncio.to_thread(
            self.gate.admit, token, found["vendor"], found["product"], found["repository"]
        )
        if service == "git-upload-pack" or asked == "git-upload-pack":
            raise FetchRefused(
                "Deposits cannot be fetched or cloned; they are sealed.",
                "Push to this address; what was deposited comes out by a release alone.",
            )
        if (scope["method"], service, asked) == ("GET", "info/refs", "git-receive-pack"):
            await asyncio.to_thread(self.reception.intake.check_welcome, target)
            await _send_advertisement(send)
        elif (scope["method"], service) == ("POST", "git-receive-pack"):
            async with asyncio.timeout(PUSH_SECONDS):
                await self._push(target, scope, receive, send)
        else:
            raise PushMalformed(
                "This address takes pushes over git's smart HTTP only.", "Use 'git push'."
            )

    async def _push(self, target: PushTarget, scope: Scope, receive: Receive, send: Send) -> None:
        line = _Line(receive, self.idle_seconds)
        body = line.body()
        encoding = _header(scope, b"content-encoding")
        if encoding in (b"gzip", b"x-gzip"):
            body = _inflated(body)
        elif encoding not in (b"", b"identity"):
            raise PushMalformed("The push is compressed in an unknown way.", "Use stock git.")
        answer = self.reception.answer(target, body)
        try:
            first = await anext(answer, b"")
            await _send_start(send, 200, b"application/x-git-receive-pack-result", _NO_CACHE)
            await _send_piece(send, first)
            # Asked before the answer goes on: it takes our asking on for the client's having heard.
            await line.check_there()
            async for piece in answer:
                await _send_piece(send, piece)
                await line.check_there()
            await send({"type": "http.response.body", "body": b""})
        finally:
            with contextlib.suppress(ClientGone, TimeoutError):
                await answer.aclose()  # type: ignore[attr-defined]


def _token(scope: Scope) -> str:
    """Return the token: the password of the Basic credential (RFC 7617), any user name."""
    scheme, _, value = _header(scope, b"authorization").partition(b" ")
    if scheme.lower() == b"basic":
        with contextlib.suppress(binascii.Error, UnicodeDecodeError):
            _, colon, token = base64.b64decode(value.strip(), validate=True).partition(b":")
            if colon and token:
                return token.decode()
    raise NotAuthenticated(
        "A push needs a token.",
        "Give it as the password, with any user name; 'escrow admin token' makes one.",
    )


def _header(scope: Scope, name: bytes) -> bytes:
    return next((bytes(value) for key, value in scope["headers"] if key == name), b"")


@dataclass
class _Line:
    """The client's end of a request: what comes from it, and whether it is still there."""

    receive: Receive
    idle_seconds: float
    _is_read: bool = False

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the request's body; not reading on is what makes a fast client wait."""
        while not self._is_read:
            async with asyncio.timeout(self.idle_seconds):
                message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            if chunk := message.get("body", b""):
                yield chunk
            self._is_read = not message.get("more_body", False)

    async def check_there(self) -> None:
        """Return when nobody has hung up; while the body still comes, its reader finds out.

        What is sent to a client who has gone is dropped without a word, so this has to be asked.

        Raises:
            ClientGone: he has.
        """
        if self._is_read:
            # Behind the body only the end of the line comes; no time to wait for it.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0):
                    message = await self.receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone


async def _inflated(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield a gzip body unpacked, a bounded piece at a time (a bomb meets the push's limit)."""
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        async for chunk in body:
            while chunk and not unpacker.eof:
                if piece := unpacker.decompress(chunk, _INFLATED_BYTES):
                    yield piece
                chunk = unpacker.unconsumed_tail
    except zlib.error:
        raise PushMalformed("The compressed push cannot be unpacked.", "Push again.") from None
    if not unpacker.eof:
        raise PushMalformed("The compressed push is cut short.", "Push again.")


async def _send_advertisement(send: Send) -> None:
    await _send_start(send, 200, b"application/x-git-receive-pack-advertisement", _NO_CACHE)
    body = advertisement(f"escrow/{__version__}")
    await send({"type": "http.response.body", "body": body})


async def _send_error(send: Send, error: EscrowError) -> None:
    """Answer in plain text: git prints it as ``remote:`` lines when it asks for refs."""
    headers = {"WWW-Authenticate": 'Basic realm="escrow: token as password"'}
    if not isinstance(error, NotAuthenticated):
        headers = problem_headers(error)
    # Git shows the text of 4xx and 5xx alike; 409 keeps its meaning for other programs.
    status = 403 if isinstance(error, FetchRefused) else status_of(error)
    fields = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await _send_start(send, status, b"text/plain; charset=utf-8", fields)
    text = f"{error.reason}\n{error.remedy}\n[{error.code}]\n"
    await send({"type": "http.response.body", "body": text.encode()})


async def _send_start(
    send: Send, status: int, media: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", media), *headers],
        }
    )


async def _send_piece(send: Send, piece: bytes) -> None:
    if piece:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
