"""The certificate that the sender of a version has shown."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("instance") as batch:
        batch.add_column(sa.Column("certificate", sa.String(64), nullable=False, server_default=""))
