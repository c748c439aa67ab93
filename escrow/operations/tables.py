"""All tables of the service, and the upgrade that brings a database to them.

The import of every room's records is what fills the metadata; nothing else may rely on it.
"""

from __future__ import annotations

from pathlib import Path

import alembic.command
import alembic.config

from escrow.custody import records as _custody
from escrow.deposits import records as _deposits
from escrow.endings import records as _endings
from escrow.engine import records as _engine
from escrow.evidence.timing import records as _timing
from escrow.ground.database import Database, metadata
from escrow.ledger import records as _ledger
from escrow.ledger.lookup import records as _lookup
from escrow.ledger.witnessing import records as _witnessing
from escrow.notices import records as _notices
from escrow.parties import records as _parties
from escrow.register import records as _register
from escrow.register.vouches import records as _vouches
from escrow.releases import records as _releases
from escrow.vault import records as _vault
from escrow.vault.shreds import records as _shreds
from escrow.vault.storage import records as _storage
from escrow.verification import records as _verification
from escrow.verification.missing import records as _missing

__all__ = ["metadata", "owns", "upgrade"]

ROOMS = (
    _custody,
    _deposits,
    _endings,
    _engine,
    _ledger,
    _lookup,
    _missing,
    _notices,
    _parties,
    _register,
    _releases,
    _shreds,
    _storage,
    _timing,
    _vault,
    _verification,
    _vouches,
    _witnessing,
)


def owns(item: object, name: str | None, kind: str, reflected: bool, other: object) -> bool:
    """Tell whether a table or one of its parts is ours; the engine's own tables are not."""
    del item, other
    return not (kind == "table" and reflected and name not in metadata.tables)


def upgrade(database: Database) -> None:
    """Bring the database to the newest revision; nothing happens when it is there."""
    config = alembic.config.Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with database.writer.begin() as connection:
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, "head")
