"""Somebody without a token sends a body in crumbs, to have us hold each of them."""

from __future__ import annotations

import asyncio

from starlette.types import Message, Receive, Scope, Send

from escrow.portal.bodies import MAX_BODY_BYTES, BoundedBodies


async def _passed_on(pieces: list[bytes]) -> list[Message]:
    """Send a body in pieces and return the messages that reach the application."""
    waiting: list[Message] = [
        {"type": "http.request", "body": piece, "more_body": True} for piece in pieces
    ]
    waiting.append({"type": "http.request", "body": b"", "more_body": False})
    reached: list[Message] = []

    async def receive() -> Message:
        return waiting.pop(0)

    async def app(_: Scope, receive: Receive, __: Send) -> None:
        reached.append(await receive())
        while reached[-1].get("more_body"):
            reached.append(await receive())

    async def send(_: Message) -> None:
        return None

    await BoundedBodies(app)({"type": "http", "headers": []}, receive, send)
    return reached


def test_crumbs_reach_the_application_as_one_piece() -> None:
    (message,) = asyncio.run(_passed_on([b"x"] * 1000))
    assert message["body"] == b"x" * 1000


def test_a_body_over_the_limit_in_pieces_reaches_nobody() -> None:
    half = bytes(MAX_BODY_BYTES // 2)
    assert asyncio.run(_passed_on([half, half, b"x"])) == []
