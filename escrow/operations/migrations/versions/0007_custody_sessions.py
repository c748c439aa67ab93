"""Sessions of the agents: what was asked, answered, proved and opened."""

import sqlalchemy as sa
from alembic import op

from escrow.ground.database import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "custody_liveness",
        sa.Column("agreement_id", sa.String(length=40), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("live_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("agreement_id", "epoch", "index"),
    )
    op.create_table(
        "custody_reopening",
        sa.Column("deposit_id", sa.String(length=40), nullable=False),
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("agreement_id", sa.String(length=40), nullable=False),
        sa.Column("product_id", sa.String(length=40), nullable=False),
        sa.Column("sealed_keys", sa.LargeBinary(), nullable=True),
        sa.Column("entry_sha256", sa.String(length=64), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("closes_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("deposit_id", "session_id"),
    )
    with op.batch_alter_table("custody_reopening", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_custody_reopening_closes_at"), ["closes_at"], unique=False
        )

    op.create_table(
        "custody_session",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("asked_by", sa.String(length=40), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("nonce", sa.String(length=64), nullable=True),
        sa.Column("items_root", sa.String(length=64), nullable=True),
        sa.Column("entry_sha256", sa.String(length=64), nullable=True),
        sa.Column("recipient", sa.String(length=2100), nullable=True),
        sa.Column("key_id", sa.String(length=128), nullable=True),
        sa.Column("sealed_identity", sa.LargeBinary(), nullable=True),
        sa.Column("opened_at", UtcDateTime(), nullable=True),
        sa.Column("ends_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("custody_session", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_custody_session_ends_at"), ["ends_at"], unique=False)

    op.create_table(
        "custody_answer",
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("signing_key", sa.String(length=60), nullable=False),
        sa.Column("act_sha256", sa.String(length=64), nullable=False),
        sa.Column("envelope_json", sa.Text(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("given_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["custody_session.id"],
        ),
        sa.PrimaryKeyConstraint("session_id", "signing_key"),
        sa.UniqueConstraint("act_sha256"),
    )
    op.create_table(
        "custody_item",
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("agreement_id", sa.String(length=40), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("k", sa.Integer(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("text_sha256", sa.String(length=64), nullable=False),
        sa.Column("intended_sha256", sa.String(length=64), nullable=True),
        sa.Column("fresh_epoch", sa.Integer(), nullable=True),
        sa.Column("done_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["agreement_id"],
            ["agreement.id"],
        ),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["custody_session.id"],
        ),
        sa.PrimaryKeyConstraint("session_id", "place"),
    )
    with op.batch_alter_table("custody_item", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_custody_item_agreement_id"), ["agreement_id"], unique=False
        )


def downgrade() -> None:
    """Forget them: agents count as seen when their shares were dealt."""
    with op.batch_alter_table("custody_item", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_custody_item_agreement_id"))

    op.drop_table("custody_item")
    op.drop_table("custody_answer")
    with op.batch_alter_table("custody_session", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_custody_session_ends_at"))

    op.drop_table("custody_session")
    with op.batch_alter_table("custody_reopening", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_custody_reopening_closes_at"))

    op.drop_table("custody_reopening")
    op.drop_table("custody_liveness")
