"""Signatures of papers that wait for a timestamp, and the tokens that came."""

import sqlalchemy as sa
from alembic import op

from escrow.ground.database import UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change; papers that were signed before go without."""
    op.create_table(
        "untimed_signature",
        sa.Column("imprint", sa.String(length=64), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("signed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("imprint"),
    )
    op.create_index("ix_untimed_signature_signed_at", "untimed_signature", ["signed_at"])
    op.create_table(
        "paper_timestamp",
        sa.Column("imprint", sa.String(length=64), nullable=False),
        sa.Column("authority", sa.String(length=80), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("imprint"),
    )


def downgrade() -> None:
    """Lose the tokens; papers are whole without."""
    op.drop_table("paper_timestamp")
    op.drop_table("untimed_signature")
