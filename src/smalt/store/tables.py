"""The tables of the database, as the newest migration leaves them."""

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows by itself only in a column of exactly this type.
Sequence = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# Counts the changes of things that other processes keep in memory.
revisions = sa.Table(
    "revisions",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
)

# API keys; only a digest of the secret is kept.
keys = sa.Table(
    "keys",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(256), nullable=False),
    # The name again while the key is live, and nothing afterwards: two live keys cannot have one name.
    sa.Column("live_name", sa.String(256), unique=True),
    sa.Column("project", sa.String(256), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False, unique=True),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("revoked_at", sa.BigInteger),
    sa.Column("last_used_at", sa.BigInteger),
    sa.Column("requests_per_minute", sa.BigInteger),
    sa.Column("tokens_per_minute", sa.BigInteger),
)

# Who a request was made for: the fields user and user_security_context; id is their digest.
end_users = sa.Table(
    "end_users",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("user", sa.String(1024)),
    sa.Column("application_name", sa.String(1024)),
    sa.Column("end_user_id", sa.String(1024)),
    sa.Column("end_user_tenant_id", sa.String(1024)),
    sa.Column("source_ip", sa.String(1024)),
)

# What was used in one UTC day.
usage = sa.Table(
    "usage",
    metadata,
    sa.Column("day", sa.String(10), primary_key=True),
    sa.Column("key_id", sa.String(64), primary_key=True),
    sa.Column("project", sa.String(256), primary_key=True),
    sa.Column("model", sa.String(256), primary_key=True),
    sa.Column("operation", sa.String(64), primary_key=True),
    # An id of end_users, or empty when the request named nobody.
    sa.Column("end_user", sa.String(64), primary_key=True),
    sa.Column("requests", sa.BigInteger, nullable=False),
    sa.Column("prompt_tokens", sa.BigInteger, nullable=False),
    sa.Column("completion_tokens", sa.BigInteger, nullable=False),
    sa.Column("cached_tokens", sa.BigInteger, nullable=False),
    sa.Column("reasoning_tokens", sa.BigInteger, nullable=False),
)

# Chat completions made with store: true.
stored_completions = sa.Table(
    "stored_completions",
    metadata,
    sa.Column("sequence", Sequence, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(128), nullable=False),
    sa.Column("project", sa.String(256), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("model", sa.String(256), nullable=False),
    sa.Column("messages", sa.JSON(none_as_null=True)),
    sa.Column("completion", sa.JSON(none_as_null=True)),
    # A deleted row stays, without content, so that paging can go on after it.
    sa.Column("deleted_at", sa.BigInteger),
    sa.UniqueConstraint("project", "id"),
    sqlite_autoincrement=True,
)

stored_completions_by_time = sa.Index(
    "ix_stored_completions_project_created_at",
    stored_completions.c.project,
    stored_completions.c.created_at,
    stored_completions.c.sequence,
)

# The metadata of stored chat completions, one row a key.
stored_completion_metadata = sa.Table(
    "stored_completion_metadata",
    metadata,
    sa.Column(
        "sequence",
        Sequence,
        sa.ForeignKey("stored_completions.sequence", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("value", sa.String(512), nullable=False),
    # Keeps the order in which the client wrote the keys.
    sa.Column("position", sa.Integer, nullable=False),
)
