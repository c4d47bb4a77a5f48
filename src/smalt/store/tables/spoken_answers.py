"""What was said in spoken answers."""

import sqlalchemy as sa

from smalt.store.tables.base import metadata

# The words of spoken chat answers, for as long as later requests may name them.
spoken_answers = sa.Table(
    "spoken_answers",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("project", sa.String(256), nullable=False),
    sa.Column("transcript", sa.Text, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
)

spoken_answers_by_expiry = sa.Index("ix_spoken_answers_expires_at", spoken_answers.c.expires_at)
