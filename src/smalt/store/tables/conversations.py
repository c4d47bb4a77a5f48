"""Conversations and the items in them."""

import sqlalchemy as sa

from smalt.store.tables.base import Sequence, metadata

conversations = sa.Table(
    "conversations",
    metadata,
    sa.Column("sequence", Sequence, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(64), nullable=False, unique=True),
    sa.Column("project", sa.String(256), nullable=False),
    sa.Column("metadata", sa.JSON(none_as_null=True), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    # When an item was last added. It never goes back, whatever the clock does, so that items keep their order.
    sa.Column("last_item_at", sa.BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

# Items in the order they were added, which is the order of `sequence`.
conversation_items = sa.Table(
    "conversation_items",
    metadata,
    sa.Column("sequence", Sequence, primary_key=True, autoincrement=True),
    sa.Column("conversation", Sequence, sa.ForeignKey("conversations.sequence", ondelete="CASCADE"), nullable=False),
    sa.Column("id", sa.String(128), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("item", sa.JSON(none_as_null=True)),
    # A deleted row stays, without content, so that paging can go on after it.
    sa.Column("deleted_at", sa.BigInteger),
    sqlite_autoincrement=True,
)

conversation_items_by_time = sa.Index(
    "ix_conversation_items_created_at",
    conversation_items.c.conversation,
    conversation_items.c.created_at,
    conversation_items.c.sequence,
)
conversation_items_by_id = sa.Index("ix_conversation_items_id", conversation_items.c.id)
live_conversation_items = sa.Index(
    "uq_conversation_items_live",
    conversation_items.c.conversation,
    conversation_items.c.id,
    unique=True,
    sqlite_where=conversation_items.c.deleted_at.is_(None),
    postgresql_where=conversation_items.c.deleted_at.is_(None),
)
