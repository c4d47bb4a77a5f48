"""What Alembic runs to migrate: over the connection that `smalt.store.migrating` opened."""

from typing import cast

import sqlalchemy as sa
from alembic import context

from smalt.store.tables import metadata

connection = cast("sa.Connection", context.config.attributes["connection"])
context.configure(connection=connection, target_metadata=metadata, render_as_batch=connection.dialect.name == "sqlite")
with context.begin_transaction():
    context.run_migrations()
