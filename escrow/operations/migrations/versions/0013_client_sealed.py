"""Parts that their vendor sealed himself: for which agreement, to which key, with what header."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    for table in ("part", "upload"):
        op.add_column(table, sa.Column("client_agreement_id", sa.String(length=40), nullable=True))
        op.add_column(table, sa.Column("client_epoch", sa.Integer(), nullable=True))
    digest = sa.Column("client_header_sha256", sa.String(length=64), nullable=True)
    op.add_column("part", digest)
    op.add_column("part", sa.Column("client_header", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    """Lose the headers of client-sealed parts: nobody can open them then."""
    op.drop_column("part", "client_header")
    op.drop_column("part", "client_header_sha256")
    for table in ("part", "upload"):
        op.drop_column(table, "client_epoch")
        op.drop_column(table, "client_agreement_id")
