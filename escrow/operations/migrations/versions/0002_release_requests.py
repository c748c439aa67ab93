"""Release requests: their rows and papers, rounds of confirmation, released headers."""

import sqlalchemy as sa
from alembic import op

from escrow.ground.database import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "release_round",
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("agreement_id", sa.String(length=40), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("recipient", sa.String(length=2100), nullable=False),
        sa.Column("key_id", sa.String(length=128), nullable=False),
        sa.Column("sealed_identity", sa.LargeBinary(), nullable=True),
        sa.Column("offer", sa.LargeBinary(), nullable=False),
        sa.Column("offer_sha256", sa.String(length=64), nullable=False),
        sa.Column("entry_sha256", sa.String(length=64), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("request_id", "round"),
    )
    with op.batch_alter_table("release_round", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_release_round_agreement_id"), ["agreement_id"], unique=False
        )

    op.create_table(
        "release_share",
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("signing_key", sa.String(length=60), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("file", sa.LargeBinary(), nullable=False),
        sa.Column("file_sha256", sa.String(length=64), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("request_id", "round", "signing_key", "epoch", "file_sha256"),
    )
    op.create_table(
        "released_header",
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("thing_id", sa.String(length=40), nullable=False),
        sa.Column("deposit_id", sa.String(length=40), nullable=False),
        sa.Column("payload_sha256", sa.String(length=64), nullable=False),
        sa.Column("header", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("request_id", "thing_id"),
    )
    with op.batch_alter_table("released_header", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_released_header_deposit_id"), ["deposit_id"], unique=False
        )

    op.create_table(
        "release_request",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("agreement_id", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("condition", sa.String(length=64), nullable=False),
        sa.Column("organisation", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("filed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agreement_id"],
            ["agreement.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("release_request", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_release_request_agreement_id"), ["agreement_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_release_request_organisation"), ["organisation"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_release_request_state"), ["state"], unique=False)

    op.create_table(
        "release_certificate",
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("statement_sha256", sa.String(length=64), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("entry_sha256", sa.String(length=64), nullable=False),
        sa.Column("signed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["release_request.id"],
        ),
        sa.PrimaryKeyConstraint("request_id"),
    )
    op.create_table(
        "release_paper",
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["release_request.id"],
        ),
        sa.PrimaryKeyConstraint("request_id", "sha256"),
    )
    op.create_table(
        "release_rereading",
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("occasion", sa.String(length=16), nullable=False),
        sa.Column("damaged", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["release_request.id"],
        ),
        sa.PrimaryKeyConstraint("request_id", "occasion"),
    )
    with op.batch_alter_table("sealing_epoch", schema=None) as batch_op:
        batch_op.add_column(sa.Column("burnt_at", UtcDateTime(), nullable=True))


def downgrade() -> None:
    """Refuse: what was acknowledged is never lost."""
    raise RuntimeError("release requests are evidence; they are not taken back")
