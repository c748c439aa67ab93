"""What the ledger says of agreements, acceptances and proofs, beside their rows."""

from __future__ import annotations

from collections.abc import Iterator

from escrow.ground.database import Session, every_row
from escrow.ledger.comparing import Comparer, Facts, Key, States
from escrow.ledger.reading import RecordedEvent
from escrow.register.changes import PROVEN
from escrow.register.governing import ACCEPTED, FILED, IN_FORCE
from escrow.register.records import (
    AcceptanceRow,
    CanaryOpeningRow,
    RecipientCanaryRow,
    VersionRow,
)

_OF_VERSION = ("text_sha256", "k", "n", "custody")


def _version(states: States, recorded: RecordedEvent) -> None:
    event, data = recorded.event, recorded.event.data
    key = (event.stream.id, int(str(data["version"])))
    if event.type == FILED:
        states[key] = {**{name: data[name] for name in _OF_VERSION}, "in_force": False}
    else:
        states.setdefault(key, {})["in_force"] = True


def _versions(session: Session) -> Iterator[tuple[Key, Facts]]:
    for row in every_row(session, VersionRow):
        facts: Facts = {name: getattr(row, name) for name in _OF_VERSION}
        yield (row.agreement_id, row.version), {**facts, "in_force": row.in_force_at is not None}


def _acceptance(states: States, recorded: RecordedEvent) -> None:
    data = recorded.event.data
    states[(str(data["act_sha256"]),)] = {
        "agreement_id": recorded.event.stream.id,
        "version": data["version"],
        "role": data["role"],
    }


def _acceptances(session: Session) -> Iterator[tuple[Key, Facts]]:
    for row in every_row(session, AcceptanceRow):
        facts: Facts = {"agreement_id": row.agreement_id, "version": row.version}
        yield (row.act_sha256,), facts | {"role": row.role}


def _proof(states: States, recorded: RecordedEvent) -> None:
    data = recorded.event.data
    states[(str(data["canary_id"]),)] = {
        "agreement_id": recorded.event.stream.id,
        "act_sha256": data["act_sha256"],
    }


def _proofs(session: Session) -> Iterator[tuple[Key, Facts]]:
    for row in every_row(session, RecipientCanaryRow):
        if row.proven_at is not None:
            facts: Facts = {"agreement_id": row.agreement_id, "act_sha256": row.act_sha256}
            yield (row.id,), facts


def _opening(states: States, recorded: RecordedEvent) -> None:
    data = recorded.event.data
    states[(str(data["act_sha256"]),)] = {
        "agreement_id": recorded.event.stream.id,
        "epoch": data["epoch"],
    }


def _openings(session: Session) -> Iterator[tuple[Key, Facts]]:
    for row in every_row(session, CanaryOpeningRow):
        yield (row.act_sha256,), {"agreement_id": row.agreement_id, "epoch": row.epoch}


COMPARERS = (
    Comparer(
        "agreement_version",
        frozenset({FILED, IN_FORCE}),
        _version,
        _versions,
    ),
    Comparer("acceptance", frozenset({ACCEPTED}), _acceptance, _acceptances),
    Comparer(
        "recipient_canary",
        frozenset({"register:recipient:proven", PROVEN}),
        _proof,
        _proofs,
    ),
    Comparer("canary_opening", frozenset({"register:ceremony:canary-opened"}), _opening, _openings),
)
