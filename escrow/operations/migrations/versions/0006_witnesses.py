"""What witnesses and timestamp authorities say of the log's checkpoints; leaves by their hash."""

import hashlib

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import sqlite

from escrow.ground.database import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_Number = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "ledger_cosignature",
        sa.Column("tree_size", _Number, autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("timestamp", _Number, autoincrement=False, nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tree_size", "key", "timestamp"),
    )
    hashes = op.create_table(
        "ledger_leaf_hash",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("leaf_index", _Number, nullable=False),
        sa.PrimaryKeyConstraint("hash"),
    )
    _fill(hashes)
    op.create_table(
        "ledger_timestamp",
        sa.Column("tree_size", _Number, autoincrement=False, nullable=False),
        sa.Column("authority", sa.String(length=80), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tree_size", "authority", "at"),
    )


def downgrade() -> None:
    """Forget what others said; it can be asked for again, as of then."""
    op.drop_table("ledger_timestamp")
    op.drop_table("ledger_leaf_hash")
    op.drop_table("ledger_cosignature")


def _fill(hashes: sa.Table) -> None:
    """Hash the leaves that there are already, some thousand at a time."""
    connection, after = op.get_bind(), -1
    page = sa.text(
        "SELECT leaf_index, leaf FROM ledger_leaf WHERE leaf_index > :after"
        " ORDER BY leaf_index LIMIT 5000"
    )
    while rows := connection.execute(page, {"after": after}).all():
        # RFC 6962, section 2.1; written out here, since a migration outlives the code around it.
        filled = [
            {"hash": hashlib.sha256(b"\x00" + bytes(row[1])).digest(), "leaf_index": row[0]}
            for row in rows
        ]
        connection.execute(sa.insert(hashes), filled)
        after = rows[-1][0]
