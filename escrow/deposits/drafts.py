"""What the intake takes and what it gives back; values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from escrow.ground.identifiers import DepositId, ProductId


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
