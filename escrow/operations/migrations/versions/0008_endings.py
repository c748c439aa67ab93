"""Holds, withdrawals, destructions, and the ciphertext that they leave."""

import sqlalchemy as sa
from alembic import op

from escrow.ground.database import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "agreement_end",
        sa.Column("agreement_id", sa.String(length=40), nullable=False),
        sa.Column("ending_id", sa.String(length=40), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreement.id"]),
        sa.PrimaryKeyConstraint("agreement_id"),
    )
    op.create_table(
        "ending",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("agreement_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("deposit_id", sa.String(length=40), nullable=True),
        sa.Column("organisation", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("filed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreement.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    for column in ("agreement_id", "deposit_id", "state"):
        op.create_index(f"ix_ending_{column}", "ending", [column])
    op.create_table(
        "ending_paper",
        sa.Column("ending_id", sa.String(length=40), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["ending_id"], ["ending.id"]),
        sa.PrimaryKeyConstraint("ending_id", "sha256"),
    )
    op.create_table(
        "destruction_certificate",
        sa.Column("ending_id", sa.String(length=40), nullable=False),
        sa.Column("statement_sha256", sa.String(length=64), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("entry_sha256", sa.String(length=64), nullable=False),
        sa.Column("signed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["ending_id"], ["ending.id"]),
        sa.PrimaryKeyConstraint("ending_id"),
    )
    op.create_table(
        "doomed_payload",
        sa.Column("payload_sha256", sa.String(length=64), nullable=False),
        sa.Column("cause", sa.String(length=40), nullable=False),
        sa.Column("product_id", sa.String(length=40), nullable=False),
        sa.Column("doomed_at", UtcDateTime(), nullable=False),
        sa.Column("removed_at", UtcDateTime(), nullable=True),
        sa.Column("locked_until", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("payload_sha256"),
    )
    op.create_index("ix_doomed_payload_product_id", "doomed_payload", ["product_id"])


def downgrade() -> None:
    """Refuse: what was destroyed stays destroyed, and these rows say so."""
    raise RuntimeError("endings are not taken back")
