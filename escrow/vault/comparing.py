"""What the ledger says of sealing keys and lasting headers, beside their rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from escrow.ground.database import Session, every_row
from escrow.ground.digests import sha256_hex
from escrow.ledger.comparing import Comparer, Facts, Key, States
from escrow.ledger.reading import RecordedEvent
from escrow.vault.records import HeaderRecordRow, LaneRow, SealingEpochRow


def _epoch(states: States, recorded: RecordedEvent) -> None:
    event, data = recorded.event, recorded.event.data
    key = (event.stream.id, int(str(data["epoch"])))
    if event.type == "vault:epoch:dealt":
        names = ("k", "n", "recipient_sha256", "canary_sha256")
        states[key] = {**{name: data[name] for name in names}, "burnt": False}
    else:
        states.setdefault(key, {})["burnt"] = True


def _epochs(session: Session) -> Iterator[tuple[Key, Facts]]:
    for row in every_row(session, SealingEpochRow):
        yield (
            (row.agreement_id, row.epoch),
            {
                "k": row.k,
                "n": row.n,
                "recipient_sha256": sha256_hex(row.recipient.encode()),
                "canary_sha256": row.canary_sha256,
                "burnt": row.burnt_at is not None,
            },
        )


# Written by the keyholder when headers end; the room that decides lies above this one.
_SHREDDED, _DESTROYED = "endings:deposit:shredded", "endings:destruction:executed"

# First part of a key that stands for what is gone; no agreement is called so.
_GONE_PART, _GONE_AGREEMENT = "gone part", "gone agreement"


def _header(states: States, recorded: RecordedEvent) -> None:
    if recorded.event.type == _SHREDDED:
        for part_id in cast("list[str]", recorded.event.data.get("parts", [])):
            states[(_GONE_PART, part_id)] = {}
        return
    if recorded.event.type == _DESTROYED:
        states[(_GONE_AGREEMENT, recorded.event.stream.id)] = {}
        return
    for one in cast("list[Mapping[str, Any]]", recorded.event.data["headers"]):
        key = (one["agreement_id"], one["part_id"], one["lock"], one["epoch"])
        states[key] = {"commitment": one["commitment"]}


def _without_gone(states: States) -> None:
    """Take out the headers that were shredded with their part, or with their agreement."""
    parts = {key[1] for key in states if key[0] == _GONE_PART}
    agreements = {key[1] for key in states if key[0] == _GONE_AGREEMENT}
    for key in list(states):
        is_mark = key[0] in (_GONE_PART, _GONE_AGREEMENT)
        if is_mark or key[0] in agreements or key[1] in parts:
            del states[key]


def _headers(session: Session) -> Iterator[tuple[Key, Facts]]:
    for row in every_row(session, HeaderRecordRow):
        key = (row.agreement_id, row.part_id, row.lock, row.epoch)
        yield key, {"commitment": row.commitment}


def _lane(states: States, recorded: RecordedEvent) -> None:
    states[(str(recorded.event.data["deposit_id"]),)] = {}


def _lanes(session: Session) -> Iterator[tuple[Key, Facts]]:
    return (((row.deposit_id,), {}) for row in every_row(session, LaneRow) if row.closed_at)


COMPARERS = (
    Comparer(
        "sealing_epoch", frozenset({"vault:epoch:dealt", "vault:epoch:burnt"}), _epoch, _epochs
    ),
    Comparer(
        "header_record",
        frozenset({"vault:deposit:headers-written", "vault:epoch:resealed", _SHREDDED, _DESTROYED}),
        _header,
        _headers,
        _without_gone,
    ),
    Comparer("lane", frozenset({"vault:lane:closed"}), _lane, _lanes),
)
