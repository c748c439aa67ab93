"""The builder images that are kept, and which recovery kit needs which."""

import sqlalchemy as sa
from alembic import op

from escrow.ground.database import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "builder_image",
        sa.Column("image_id", sa.String(length=80), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("file", sa.String(length=200), nullable=False),
        sa.Column("tar_sha256", sa.String(length=64), nullable=False),
        sa.Column("tar_size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("archive_sha256", sa.String(length=64), nullable=False),
        sa.Column("archive_size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("kept_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("image_id"),
    )
    with op.batch_alter_table("builder_image", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_builder_image_archive_sha256"), ["archive_sha256"], unique=False
        )
    op.create_table(
        "kit_image",
        sa.Column("document_id", sa.String(length=40), nullable=False),
        sa.Column("image_id", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(["image_id"], ["builder_image.image_id"]),
        sa.PrimaryKeyConstraint("document_id", "image_id"),
    )


def downgrade() -> None:
    """Refuse: packages need the images that these rows name."""
    raise RuntimeError("recovery kits name these images; they are not taken back")
