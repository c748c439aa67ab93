"""What the intake takes and what it gives back; values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from escrow.ground.identifiers import AgreementId, DepositId, ProductId

# The word for a part that its vendor sealed himself, wherever a client says or is told it.
CLIENT_SEALED = "client-sealed"


@dataclass(frozen=True)
class SaidSeal:
    """What a sender says of a part that he sealed: for which agreement, to which of its keys."""

    agreement_id: str | None = None
    epoch: int | None = None


@dataclass(frozen=True)
class ClientSeal:
    """The agreement that a client-sealed part serves, and the epoch of the key it is said to be to.

    The agreement was in force and the epoch current when the upload began. That the header is to
    this key nobody can tell before the agents open it.
    """

    agreement_id: AgreementId
    epoch: int


@dataclass(frozen=True)
class PartDescription:
    """What a part is, as its sender says; ``seal`` where he sealed it himself."""

    kind: str
    name: str
    media: str
    seal: ClientSeal | None = None


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
