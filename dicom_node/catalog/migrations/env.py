"""Alembic's entry: run the migrations on the connection that Catalog.migrate hands over."""

from alembic import context

from dicom_node.catalog.tables import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
