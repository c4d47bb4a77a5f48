"""Connections to services, and the calls that were booked on them."""

import sqlalchemy as sa

from smalt.store.tables.base import Sequence, metadata

# `secrets` is ciphertext; `key_id` tells which key it was made with, `secret_names` which fields are in it.
connector_connections = sa.Table(
    "connector_connections",
    metadata,
    sa.Column("sequence", Sequence, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(64), nullable=False, unique=True),
    sa.Column("name", sa.String(256), nullable=False, unique=True),
    sa.Column("connector", sa.String(64), nullable=False),
    sa.Column("kind", sa.String(64), nullable=False),
    # None for the connector's cloud.
    sa.Column("base_url", sa.String(2048)),
    sa.Column("is_smalt", sa.Boolean, nullable=False),
    sa.Column("fields", sa.JSON(none_as_null=True), nullable=False),
    sa.Column("secret_names", sa.JSON(none_as_null=True), nullable=False),
    sa.Column("secrets", sa.LargeBinary, nullable=False),
    sa.Column("key_id", sa.String(64), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

# The calls of the last window and those that wait for theirs. Times are Unix milliseconds.
throttle_slots = sa.Table(
    "throttle_slots",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    # Not a reference: calls to the local server are booked too, and it has no row.
    sa.Column("connection_id", sa.String(64), nullable=False),
    sa.Column("starts_at_ms", sa.BigInteger, nullable=False),
)

throttle_slots_by_time = sa.Index(
    "ix_throttle_slots_connection_id_starts_at_ms", throttle_slots.c.connection_id, throttle_slots.c.starts_at_ms
)
