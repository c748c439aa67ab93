"""What the intake takes and what it gives back; values, and the port of its job queue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from escrow.ground.database import Session
from escrow.ground.identifiers import DepositId, ProductId


class JobQueue(Protocol):
    """Where work for later is put, in the caller's transaction."""

    def enqueue(
        self,
        session: Session,
        name: str,
        key: str,
        arguments: Mapping[str, str],
        *,
        delay_seconds: float = 0,
        partition: str | None = None,
    ) -> None:
        """Enqueue a job; the same key twice is one job."""
        ...


@dataclass(frozen=True)
class PartDescription:
    """What a part is, as its sender says."""

    kind: str
    name: str
    media: str


@dataclass(frozen=True)
class OpenDeposit:
    """A deposit that gathers parts."""

    id: DepositId
    product_id: ProductId
    lane_recipient: str


@dataclass(frozen=True)
class StoredDeposit:
    """A deposit that is sealed, stored and logged: it has its number and is there for good."""

    id: DepositId
    product_id: ProductId
    number: int
    sealed_at: datetime


@dataclass(frozen=True)
class SealedDeposit(StoredDeposit):
    """A deposit that has its lasting headers and its receipt too, so that it is complete."""

    receipt_json: str
