"""Bodies of the API's calls: bounded before anybody reads them.

Guarantees: a call reaches the routes with its whole body, which is no longer than
:data:`MAX_BODY_BYTES`; a longer one is refused as soon as that shows, however it is sent. Material
comes by git and tus, which do not pass here: they stream and have limits of their own.
"""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from escrow.ground.errors import InvalidInput
from escrow.portal.problems import problem_response

# A body is a description, never material; the longest one is an agreement's text. So little is
# held in memory without a second thought.
MAX_BODY_BYTES = 2 * 1024 * 1024


# Two megabytes over a line of 64 kbit/s take four minutes; whoever is slower holds a place for
# nothing.
BODY_SECONDS = 300.0


class BodyTooSlow(InvalidInput):
    """A call's body did not come to its end in time."""

    code = "request.body-too-slow"

    def __init__(self) -> None:
        super().__init__(
            f"The body did not end within {BODY_SECONDS:.0f} seconds.", "Send the call again."
        )


class BodyTooLarge(InvalidInput):
    """A call's body is longer than any description is."""

    code = "request.body-too-large"

    def __init__(self) -> None:
        super().__init__(
            f"The body is longer than {MAX_BODY_BYTES} bytes.",
            "Send material by 'git push' or as an upload; this call takes a description.",
        )


class BoundedBodies:
    """Passes calls on to an application, each with its whole body, or refuses them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _whole_body(receive)
        except TimeoutError:
            await problem_response(BodyTooSlow())(scope, receive, send)
            return
        if body is None:
            await problem_response(BodyTooLarge())(scope, receive, send)
            return
        await self._app(scope, _replaying(body, receive), send)


async def _whole_body(receive: Receive) -> Message | None:
    """Return the body as one message; None when it is too long.

    Gathered into one piece as it comes: a client that sends it byte by byte would otherwise have
    us hold a message of hundreds of bytes for each.
    """
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return message
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return {"type": "http.request", "body": bytes(body), "more_body": False}


def _replaying(body: Message, receive: Receive) -> Receive:
    waiting = [body]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again
