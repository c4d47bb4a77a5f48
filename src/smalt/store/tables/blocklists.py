"""Block lists and their items."""

import sqlalchemy as sa

from smalt.store.tables.base import Sequence, metadata

blocklists = sa.Table(
    "blocklists",
    metadata,
    sa.Column("sequence", Sequence, primary_key=True, autoincrement=True),
    sa.Column("name", sa.String(256), nullable=False, unique=True),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

blocklist_items = sa.Table(
    "blocklist_items",
    metadata,
    sa.Column("sequence", Sequence, primary_key=True, autoincrement=True),
    sa.Column("blocklist", Sequence, sa.ForeignKey("blocklists.sequence", ondelete="CASCADE"), nullable=False),
    sa.Column("is_regex", sa.Boolean, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.UniqueConstraint("blocklist", "is_regex", "text"),
    sqlite_autoincrement=True,
)
