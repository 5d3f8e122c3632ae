"""Versions of SOP Instances instead of one object each, and series of a study instead of series alone."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_NAMES = {"fk": "%(table_name)s_%(column_0_name)s_fkey", "pk": "%(table_name)s_pkey"}  # as PostgreSQL has named them
_SERIES = ["study_uid", "series_uid"], ["study_uid", "uid"]
_STATES = sa.Enum("CURRENT", "SUPERSEDED", "HELD", "REJECTED", name="versionstate", native_enum=False, length=16)
_DELIVERY_STATES = ("STOPPED", "RECALLED", "MOVED", "WITHDRAWN", "MISFILED")


def upgrade() -> None:
    """Apply."""
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    if is_postgresql:
        for state in _DELIVERY_STATES:
            op.execute(f"ALTER TYPE deliverystate ADD VALUE IF NOT EXISTS '{state}'")
    with op.batch_alter_table("instance", naming_convention=_NAMES) as batch:
        batch.drop_constraint("instance_series_uid_fkey", type_="foreignkey")
        batch.drop_index("ix_instance_series_uid")
    with op.batch_alter_table("stack", naming_convention=_NAMES) as batch:
        batch.drop_constraint("stack_series_uid_fkey", type_="foreignkey")
        batch.add_column(sa.Column("patient", sa.String(32), nullable=False, server_default=""))
        batch.add_column(sa.Column("corrected", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("series", naming_convention=_NAMES) as batch:
        batch.drop_constraint("series_pkey", type_="primary")
        batch.create_primary_key("series_pkey", ["study_uid", "uid"])
        batch.drop_index("ix_series_study_uid")
        batch.create_index("ix_series_uid", ["uid"])
        batch.add_column(sa.Column("gone", sa.Integer(), nullable=False, server_default="0"))
    _add_version_columns()
    op.execute("UPDATE instance SET study_uid = (SELECT study_uid FROM series WHERE series.uid = instance.series_uid)")
    _key_versions()
    with op.batch_alter_table("stack") as batch:
        batch.create_foreign_key("stack_series", "series", *_SERIES)


def _add_version_columns() -> None:
    with op.batch_alter_table("instance", naming_convention=_NAMES) as batch:
        batch.add_column(sa.Column("study_uid", sa.String(64), nullable=True))
        batch.add_column(sa.Column("data_set_at", sa.Integer(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("patient", sa.String(32), nullable=False, server_default=""))
        batch.add_column(sa.Column("address", sa.String(64), nullable=False, server_default=""))
        batch.add_column(sa.Column("state", _STATES, nullable=False, server_default="CURRENT"))
        batch.add_column(sa.Column("reason", sa.String(), nullable=False, server_default=""))
        batch.add_column(sa.Column("correction", sa.Integer(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("committed_until", sa.Double(), nullable=False, server_default="0"))


def _key_versions() -> None:
    with op.batch_alter_table("instance", naming_convention=_NAMES) as batch:
        batch.alter_column("study_uid", existing_type=sa.String(64), nullable=False)
        batch.drop_constraint("instance_pkey", type_="primary")
        batch.create_primary_key("instance_pkey", ["sha256"])
        batch.create_foreign_key("instance_series", "series", *_SERIES)
        batch.create_index("ix_instance_uid", ["uid"])
        batch.create_index("ix_instance_series", ["study_uid", "series_uid"])
    for name, columns, condition, unique in (
        ("one_current_version", ["uid"], "state = 'CURRENT'", True),
        ("version_by_state", ["state"], "state <> 'CURRENT'", False),
    ):
        where = sa.text(condition)
        op.create_index(name, "instance", columns, unique=unique, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    """Undo is not possible: versions beside the current one have no place in the tables before."""
    raise NotImplementedError("versions that are held or superseded would be lost; restore a backup instead")
