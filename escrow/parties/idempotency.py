"""Idempotency keys: the same unsafe call sent twice is done once and answered the same.

The scope is principal, route and key; the hash of the body must be the same. For a day.
An answer that holds a token or a private key is not kept: that the call was done is, and its
repetition is refused with the way out. So a secret is never stored, and nothing is done twice.

Call :func:`recall` and :func:`remember` in the transaction that does the work: then a key is
remembered exactly if the work was done. Only answers to work that was done are remembered; an
error may be tried again under the same key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from escrow.ground.database import Session
from escrow.ground.digests import Sha256Hex, sha256_hex
from escrow.ground.identifiers import new_id
from escrow.parties import records
from escrow.parties.errors import (
    AnswerNotKept,
    BadIdempotencyKey,
    KeyReused,
    SameRequestUnderWay,
)
from escrow.parties.permissions import Principal
from escrow.parties.records import RememberedAnswer
from escrow.parties.token_text import holds_secret

# A client that tries again for longer than a day has to look first.
LIFETIME = timedelta(hours=24)

# Printable ASCII without blanks, quotes aside; UUIDs and ULIDs are what clients send.
_KEY = re.compile(r"[!#-~]{1,255}")


@dataclass(frozen=True)
class Scope:
    """One call, as its repetition is recognised.

    Args:
        principal: the person, else the token: a renewed token may repeat the call.
        route: method and route template with its values, e.g. ``POST /api/v1/products``.
        key: as sent in ``Idempotency-Key``.
        body_sha256: of the body, byte for byte.
    """

    principal: str
    route: str
    key: str
    body_sha256: Sha256Hex


@dataclass(frozen=True)
class Answer:
    """What was answered: status and JSON text."""

    status: int
    text: str


def scope_of(principal: Principal, route: str, key: str, body: bytes) -> Scope:
    """Return the scope of a call.

    Raises:
        BadIdempotencyKey: empty, longer than 255 characters, or not printable ASCII.
    """
    if not _KEY.fullmatch(key) or holds_secret(key):
        raise BadIdempotencyKey(
            "The Idempotency-Key is empty, too long, or holds characters that cannot stand there.",
            "Send a fresh UUID for each new request.",
        )
    return Scope(principal.actor, route[:200], key, sha256_hex(body))


def recall(session: Session, scope: Scope, now: datetime) -> Answer | None:
    """Return the remembered answer of a call, None when it is new or older than a day.

    Raises:
        KeyReused: the key came with another body.
        AnswerNotKept: it was done, and its answer held a secret.
    """
    row = records.remembered(session, scope.principal, scope.route, scope.key)
    if row is None or row.created_at + LIFETIME <= now:
        return None
    if row.body_sha256 != scope.body_sha256:
        raise KeyReused
    if row.answer is None:
        raise AnswerNotKept
    return Answer(row.status, row.answer)


def remember(session: Session, scope: Scope, answer: Answer, now: datetime) -> None:
    """Remember what a call answered, in the transaction that did it.

    Raises:
        SameRequestUnderWay: another transaction remembered the same scope meanwhile; roll back.
    """
    old = records.remembered(session, scope.principal, scope.route, scope.key)
    if old is not None and old.created_at + LIFETIME <= now:
        records.forget(session, old)
    is_kept = not holds_secret(answer.text)
    row = RememberedAnswer(
        id=new_id("idk"),
        principal=scope.principal,
        route=scope.route,
        key=scope.key,
        body_sha256=scope.body_sha256,
        status=answer.status,
        answer=answer.text if is_kept else None,
        created_at=now,
    )
    if not records.add_if_free(session, row):
        raise SameRequestUnderWay


def forget_expired(session: Session, now: datetime) -> int:
    """Delete what is older than a day; return how many."""
    return records.forget_before(session, now - LIFETIME)
