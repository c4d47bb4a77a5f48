"""Answers to requests that name an idempotency key."""

import sqlalchemy as sa

from smalt.store.tables.base import metadata

# A row without a status is a claim: somebody works on the request until `claimed_until`, unless that is put off.
idempotent_answers = sa.Table(
    "idempotent_answers",
    metadata,
    sa.Column("project", sa.String(256), primary_key=True),
    sa.Column("key_digest", sa.String(64), primary_key=True),
    sa.Column("claim_id", sa.String(64), nullable=False),
    sa.Column("claimed_until", sa.BigInteger, nullable=False),
    sa.Column("request_digest", sa.String(64)),
    sa.Column("status", sa.Integer),
    sa.Column("headers", sa.JSON(none_as_null=True)),
    sa.Column("content", sa.LargeBinary),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
)

idempotent_answers_by_expiry = sa.Index("ix_idempotent_answers_expires_at", idempotent_answers.c.expires_at)
