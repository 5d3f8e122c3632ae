"""Versions whose files were removed for age or space stay known."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("instance") as batch:
        batch.add_column(sa.Column("removed_at", sa.Double(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Undo; the rows of removed versions go."""
    op.execute("DELETE FROM instance WHERE removed_at > 0")
    with op.batch_alter_table("instance") as batch:
        batch.drop_column("removed_at")
