"""A second worker's examination of what a first one found buildable, and who concluded which."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    confirms = sa.Column("confirms", sa.String(length=40), nullable=False, server_default="")
    op.add_column("examination", confirms)
    op.add_column("examination", sa.Column("worker", sa.String(length=64), nullable=True))


def downgrade() -> None:
    """Forget who confirmed what; the ledger keeps its entries."""
    op.drop_column("examination", "worker")
    op.drop_column("examination", "confirms")
