"""What the ledger says of organisations, members, keys and tokens, beside their rows."""

from __future__ import annotations

from collections.abc import Iterator

from escrow.ground.clock import rfc3339
from escrow.ground.database import Session, every_row
from escrow.ledger.comparing import Comparer, Facts, Key, States
from escrow.ledger.reading import RecordedEvent
from escrow.parties.records import Member, MemberKey, Organisation, Token


def _organisation(states: States, recorded: RecordedEvent) -> None:
    states[(str(recorded.event.data["organisation_id"]),)] = {}


def _organisations(session: Session) -> Iterator[tuple[Key, Facts]]:
    return (((row.id,), {}) for row in every_row(session, Organisation))


def _member(states: States, recorded: RecordedEvent) -> None:
    data, key = recorded.event.data, (str(recorded.event.data["member_id"]),)
    if recorded.event.type == "parties:member:added":
        states[key] = {"roles": data["roles"], "removed": False}
    else:
        states.setdefault(key, {})["removed"] = True


def _members(session: Session) -> Iterator[tuple[Key, Facts]]:
    for row in every_row(session, Member):
        yield (row.id,), {"roles": row.roles, "removed": row.removed_at is not None}


def _key(states: States, recorded: RecordedEvent) -> None:
    data = recorded.event.data
    states[(str(data["key_id"]),)] = {
        name: data[name] for name in ("member_id", "kind", "public_key_sha256")
    }


def _keys(session: Session) -> Iterator[tuple[Key, Facts]]:
    for row in every_row(session, MemberKey):
        facts: Facts = {"member_id": row.member_id, "kind": row.kind}
        yield (row.id,), facts | {"public_key_sha256": row.public_key_sha256}


_GRANTED = ("member_id", "role", "verbs", "product_ids", "agreement_ids", "expires_at", "one_time")


def _token(states: States, recorded: RecordedEvent) -> None:
    data, key = recorded.event.data, (str(recorded.event.data["token_id"]),)
    if recorded.event.type == "parties:token:issued":
        states[key] = {**{name: data[name] for name in _GRANTED}, "revoked": False}
    else:
        states.setdefault(key, {})["revoked"] = True


def _tokens(session: Session) -> Iterator[tuple[Key, Facts]]:
    for row in every_row(session, Token):
        facts: Facts = {name: getattr(row, name) for name in _GRANTED}
        facts["expires_at"] = rfc3339(row.expires_at)
        yield (row.id,), {**facts, "revoked": row.revoked_at is not None}


COMPARERS = (
    Comparer(
        "organisation", frozenset({"parties:organisation:created"}), _organisation, _organisations
    ),
    Comparer(
        "member", frozenset({"parties:member:added", "parties:member:removed"}), _member, _members
    ),
    Comparer("member_key", frozenset({"parties:key:registered"}), _key, _keys),
    Comparer(
        "token",
        frozenset({"parties:token:issued", "parties:token:revoked", "parties:token:exchanged"}),
        _token,
        _tokens,
    ),
)
