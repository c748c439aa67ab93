"""What the ledger says of products, deposits and their parts, beside their rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from escrow.deposits.records import Deposit, Part, Product
from escrow.ground.database import Session, every_row
from escrow.ledger.comparing import Comparer, Facts, Key, States
from escrow.ledger.reading import RecordedEvent

SEALED = frozenset({"deposits:deposit:sealed"})


def _product(states: States, recorded: RecordedEvent) -> None:
    owner = recorded.event.data["organisation_id"]
    states[(recorded.event.stream.id,)] = {"organisation_id": owner}


def _products(session: Session) -> Iterator[tuple[Key, Facts]]:
    for row in every_row(session, Product):
        yield (row.id,), {"organisation_id": row.organisation_id}


def _deposit(states: States, recorded: RecordedEvent) -> None:
    data = recorded.event.data
    states[(str(data["deposit_id"]),)] = {
        "product_id": recorded.event.stream.id,
        "number": data["number"],
        "via": data["via"],
        "ledger_entry_sha256": recorded.entry_sha256,
    }


def _deposits(session: Session) -> Iterator[tuple[Key, Facts]]:
    for row in every_row(session, Deposit):
        # A draft, and one that was given up, is in no event.
        if row.number is not None:
            names = ("product_id", "number", "via", "ledger_entry_sha256")
            yield (row.id,), {name: getattr(row, name) for name in names}


_OF_PART = ("payload_sha256", "payload_size_bytes")
_OF_SEAL = ("agreement_id", "epoch", "header_sha256")


def _part(states: States, recorded: RecordedEvent) -> None:
    data = recorded.event.data
    for one in cast("list[Mapping[str, Any]]", data["parts"]):
        facts: Facts = {name: one[name] for name in (*_OF_PART, "carried_from")}
        seal = one.get("client_sealed")
        states[(str(one["part_id"]),)] = facts | {
            "deposit_id": data["deposit_id"],
            "client_sealed": {name: seal[name] for name in _OF_SEAL} if seal else None,
        }


def _parts(session: Session) -> Iterator[tuple[Key, Facts]]:
    sealed = {row.id for row in every_row(session, Deposit) if row.number is not None}
    deposit_of = {row.id: row.deposit_id for row in every_row(session, Part)}
    for row in every_row(session, Part):
        if row.deposit_id in sealed:
            facts: Facts = {name: getattr(row, name) for name in (*_OF_PART, "deposit_id")}
            # The event names the deposit that the part was sent in, the row the part itself.
            sent = deposit_of.get(row.carried_from, row.carried_from) if row.carried_from else None
            seal = {
                "agreement_id": row.client_agreement_id,
                "epoch": row.client_epoch,
                "header_sha256": row.client_header_sha256,
            }
            sealed_by_vendor = seal if row.client_agreement_id else None
            yield (row.id,), facts | {"carried_from": sent, "client_sealed": sealed_by_vendor}


COMPARERS = (
    Comparer("product", frozenset({"deposits:product:registered"}), _product, _products),
    Comparer("deposit", SEALED, _deposit, _deposits),
    Comparer("part", SEALED, _part, _parts),
)
