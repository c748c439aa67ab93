"""What the routes stand on: the rooms as the composition root put them together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from escrow.custody.driving import CustodyDriver
from escrow.deposits.admission import DepositGate
from escrow.deposits.intake import Intake
from escrow.deposits.pushing import PushReception
from escrow.deposits.uploads import UploadDesk
from escrow.endings.driving import EndingsDriver
from escrow.evidence.trustroot import TrustRoot
from escrow.ground.clock import Clock
from escrow.ground.database import Database
from escrow.ground.settings import Environment
from escrow.ledger.appending import Scribe
from escrow.releases.driving import Driver
from escrow.vault.blobs import BlobStore
from escrow.vault.keyholder import Keyholder


@dataclass(frozen=True)
class Rooms:
    """Everything that a request may need; made once, shared by all.

    Attributes:
        log_scratch: folder of the live logs.
        public_url: the service's address as people type it, without a trailing slash.
    """

    environment: Environment
    database: Database
    clock: Clock
    scribe: Scribe
    keyholder: Keyholder
    blobs: BlobStore
    intake: Intake
    desk: UploadDesk
    gate: DepositGate
    reception: PushReception
    driver: Driver
    custody: CustodyDriver
    endings: EndingsDriver
    trust_root: TrustRoot
    log_scratch: Path
    public_url: str
