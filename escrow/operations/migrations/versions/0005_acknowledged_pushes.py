"""When the sender of a push was told that its deposit is complete."""

import sqlalchemy as sa
from alembic import op

from escrow.ground.database import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change; what has its receipt by now counts as told."""
    with op.batch_alter_table("deposit", schema=None) as batch_op:
        batch_op.add_column(sa.Column("acknowledged_at", UtcDateTime(), nullable=True))
    op.execute("UPDATE deposit SET acknowledged_at = sealed_at WHERE receipt_json IS NOT NULL")


def downgrade() -> None:
    """Forget it: a push that is repeated afterwards makes a further deposit."""
    with op.batch_alter_table("deposit", schema=None) as batch_op:
        batch_op.drop_column("acknowledged_at")
