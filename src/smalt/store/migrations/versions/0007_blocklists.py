"""Block lists of the content filter."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "blocklists",
        sa.Column("sequence", SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(256), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_blocklists"),
        sa.UniqueConstraint("name", name="uq_blocklists_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "blocklist_items",
        sa.Column("sequence", SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("blocklist", SEQUENCE, nullable=False),
        sa.Column("is_regex", sa.Boolean, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["blocklist"],
            ["blocklists.sequence"],
            name="fk_blocklist_items_blocklist_blocklists",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("sequence", name="pk_blocklist_items"),
        sa.UniqueConstraint("blocklist", "is_regex", "text", name="uq_blocklist_items_blocklist"),
        sqlite_autoincrement=True,
    )
