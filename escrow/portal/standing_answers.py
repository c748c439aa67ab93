"""Answers on a deposit's status, kept for as long as nothing at all was committed.

Guarantees: a kept answer is given only to the very token that it was made for, on the very path,
while the database holds exactly what it held when every check was made, and before the moment at
which the token's own time would change it. Anything else goes the whole way. So a revocation, a
new agreement or a finished verification holds from the next request on, as without this.
It keeps nothing on PostgreSQL, which has no number that any commit changes.

People's programs ask again and again where a deposit stands; the way through a dozen queries
cost thirty times as much as the one that a bare program would make.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from escrow.ground.changes import CommitWatch
from escrow.ground.clock import Clock

# Some hundred deposits are looked at in an hour, each by a handful of tokens.
MAX_KEPT = 1024
# An answer lists a deposit's parts; a longer one is rare and made anew.
MAX_KEPT_BYTES = 16 * 1024

# Where a route leaves the moment until which its answer holds by itself.
HOLDS_UNTIL = "holds_until"

_CONDITION = b"if-none-match"


@dataclass(frozen=True)
class _Kept:
    version: int
    until: datetime
    start: Message
    body: bytes
    tag: bytes


class StandingAnswers:
    """Answers ``GET`` below one address from memory where that is certain, else passes it on.

    Args:
        app: makes the answers.
        prefix: of the paths, with the slash; only what has one more segment is kept.
        watch: of the database that the answers come from.
        clock: the one that tokens are measured by.
    """

    def __init__(self, app: ASGIApp, prefix: str, watch: CommitWatch, clock: Clock) -> None:
        self._app = app
        self._prefix = prefix
        self._watch = watch
        self._clock = clock
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        name = self._name(scope)
        # Read before any check: what is committed meanwhile makes the answer stale at once.
        version = None if name is None else self._watch.version()
        if name is None or version is None:
            await self._app(scope, receive, send)
            return
        kept = self._kept.get(name)
        if kept is None or kept.version != version or self._clock.now() >= kept.until:
            seen = await self._whole_way(scope, receive)
            kept = _kept_of(seen, version, scope["state"].get(HOLDS_UNTIL))
            if kept is None:
                for message in seen:
                    await send(message)
                return
            self._keep(name, kept)
        await _give(kept, scope, send)

    async def _whole_way(self, scope: Scope, receive: Receive) -> list[Message]:
        """Return the application's answer to the same call, without a condition.

        The condition is judged here: else an asker who knows the answer would never find it kept.
        """
        seen: list[Message] = []

        async def look(message: Message) -> None:
            seen.append(message)

        scope.setdefault("state", {})
        headers = [one for one in scope["headers"] if one[0] != _CONDITION]
        await self._app({**scope, "headers": headers}, receive, look)
        return seen

    def _keep(self, name: bytes, kept: _Kept) -> None:
        self._kept[name] = kept
        self._kept.move_to_end(name)
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)

    def _name(self, scope: Scope) -> bytes | None:
        """Return under which digest an answer is kept; None for what never is."""
        if scope["type"] != "http" or scope["method"] != "GET" or scope.get("query_string"):
            return None
        path = scope["path"]
        if not path.startswith(self._prefix) or "/" in path[len(self._prefix) :]:
            return None
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        # Two credentials are no case for a memory. The token itself is not kept, only a digest.
        if len(given) != 1:
            return None
        return hashlib.sha256(given[0] + b"\0" + path.encode()).digest()


def _kept_of(seen: list[Message], version: int, until: object) -> _Kept | None:
    """Return what may be kept of an answer; None for a refusal, a long one, one without a term."""
    if not seen or seen[0].get("status") != 200 or not isinstance(until, datetime):
        return None
    tags = [value for header, value in seen[0]["headers"] if header == b"etag"]
    body = b"".join(one.get("body", b"") for one in seen[1:])
    if not tags or len(body) > MAX_KEPT_BYTES:
        return None
    return _Kept(version, until, seen[0], body, tags[0])


def is_known(tag: str, if_none_match: Iterable[str]) -> bool:
    """Tell whether the asker has seen exactly this (RFC 9110, section 13.1.2).

    Compared weakly: a proxy may have marked our tag as weak.
    """
    known = (one for field in if_none_match for one in field.split(","))
    return any(one.strip().removeprefix("W/") in (tag, "*") for one in known)


async def _give(kept: _Kept, scope: Scope, send: Send) -> None:
    asked = [value.decode("latin-1") for name, value in scope["headers"] if name == _CONDITION]
    if is_known(kept.tag.decode("latin-1"), asked):
        named = (b"etag", b"cache-control")
        headers = [(name, value) for name, value in kept.start["headers"] if name in named]
        await send({"type": "http.response.start", "status": 304, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        return
    await send({**kept.start})
    await send({"type": "http.response.body", "body": kept.body})
