"""Bodies of the API's calls: bounded before anybody reads them.

Guarantees: a call reaches the routes with its whole body, which is no longer than
:data:`MAX_BODY_BYTES`; a longer one is refused as soon as that shows, however it is sent. Material
comes by git and tus, which do not pass here: they stream and have limits of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from escrow.ground.errors import InvalidInput
from escrow.portal.problems import problem_response

# A body is a description, never material; the longest one is an agreement's text. So little is
# held in memory without a second thought.
MAX_BODY_BYTES = 2 * 1024 * 1024


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
        messages = await _whole_body(receive)
        if messages is None:
            await problem_response(BodyTooLarge())(scope, receive, send)
            return
        await self._app(scope, _replaying(messages, receive), send)


async def _whole_body(receive: Receive) -> list[Message] | None:
    """Return the messages that make up the body; None when it is too long."""
    messages: list[Message] = []
    size = 0
    while True:
        message = await receive()
        messages.append(message)
        size += len(message.get("body", b""))
        if size > MAX_BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return messages


def _replaying(messages: Sequence[Message], receive: Receive) -> Receive:
    waiting = iter(messages)

    async def again() -> Message:
        held = next(waiting, None)
        return await receive() if held is None else held

    return again
