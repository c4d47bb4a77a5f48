"""Keys, who requests were made for, and what was used."""

import sqlalchemy as sa

from smalt.store.tables.base import metadata

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
