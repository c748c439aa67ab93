"""The comparers of all rooms: what the check of the ledger asks of every state."""

from __future__ import annotations

from escrow.custody import comparing as _custody
from escrow.deposits import comparing as _deposits
from escrow.parties import comparing as _parties
from escrow.register import comparing as _register
from escrow.register.vouches import comparing as _vouches
from escrow.releases import comparing as _releases
from escrow.vault import comparing as _vault
from escrow.verification import comparing as _verification
from escrow.verification.missing import comparing as _missing

COMPARERS = (
    *_parties.COMPARERS,
    *_deposits.COMPARERS,
    *_register.COMPARERS,
    *_vault.COMPARERS,
    *_vouches.COMPARERS,
    *_verification.COMPARERS,
    *_missing.COMPARERS,
    *_custody.COMPARERS,
    *_releases.COMPARERS,
)
