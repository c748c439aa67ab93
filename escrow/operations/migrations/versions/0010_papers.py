"""Agents' acts that vouch for a trust root, and signed notices of missing deposits."""

import sqlalchemy as sa
from alembic import op

from escrow.ground.database import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "trust_root_vouch",
        sa.Column("agreement_id", sa.String(length=40), nullable=False),
        sa.Column("trust_root_sha256", sa.String(length=64), nullable=False),
        sa.Column("signing_key", sa.String(length=60), nullable=False),
        sa.Column("act_sha256", sa.String(length=64), nullable=False),
        sa.Column("envelope_json", sa.Text(), nullable=False),
        sa.Column("vouched_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreement.id"]),
        sa.PrimaryKeyConstraint("agreement_id", "trust_root_sha256", "signing_key"),
        sa.UniqueConstraint("act_sha256"),
    )
    op.create_table(
        "missing_deposit",
        sa.Column("agreement_id", sa.String(length=40), nullable=False),
        sa.Column("product_id", sa.String(length=40), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("signed_at", UtcDateTime(), nullable=False),
        sa.Column("statement_sha256", sa.String(length=64), nullable=False),
        sa.Column("entry_sha256", sa.String(length=64), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreement.id"]),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"]),
        sa.PrimaryKeyConstraint("agreement_id", "product_id", "due_at"),
    )
    op.create_index("ix_missing_deposit_entry_sha256", "missing_deposit", ["entry_sha256"])


def downgrade() -> None:
    """Lose what was signed; the ledger keeps its entries."""
    op.drop_table("missing_deposit")
    op.drop_table("trust_root_vouch")
