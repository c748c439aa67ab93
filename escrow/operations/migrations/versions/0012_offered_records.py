"""Header records that the worker offers to the keyholder, which writes what is proven again."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.add_column("header_copy", sa.Column("offered", sa.Text(), nullable=True))


def downgrade() -> None:
    """Take the column away."""
    with op.batch_alter_table("header_copy") as table:
        table.drop_column("offered")
