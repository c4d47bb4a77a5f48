"""Responses, what they answer, and the events that they were told in."""

import sqlalchemy as sa

from smalt.store.tables.base import Sequence, metadata

responses = sa.Table(
    "responses",
    metadata,
    sa.Column("sequence", Sequence, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(64), nullable=False, unique=True),
    sa.Column("project", sa.String(256), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("model", sa.String(256), nullable=False),
    # The response that this one goes on from. It stays as long as this one, deleted or not.
    sa.Column("previous", Sequence, sa.ForeignKey("responses.sequence")),
    sa.Column("conversation_id", sa.String(64)),
    # The last item that the conversation had when the response began.
    sa.Column("conversation_end", sa.BigInteger),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("is_background", sa.Boolean, nullable=False),
    # Whether the events stay when the response has ended, to be streamed again.
    sa.Column("is_streamed", sa.Boolean, nullable=False),
    # Who asked for it, and pays for what a job uses.
    sa.Column("key_id", sa.String(64), nullable=False),
    sa.Column("key_name", sa.String(256), nullable=False),
    # The request, while a job works on it.
    sa.Column("body", sa.JSON(none_as_null=True), nullable=False),
    # The object as far as it is; of a deleted response that others go on from, the output alone.
    sa.Column("response", sa.JSON(none_as_null=True), nullable=False),
    # When the one who works on it last said so.
    sa.Column("heard_at", sa.BigInteger, nullable=False),
    sa.Column("finished_at", sa.BigInteger),
    sa.Column("deleted_at", sa.BigInteger),
    sqlite_autoincrement=True,
)

responses_by_previous = sa.Index("ix_responses_previous", responses.c.previous)
unfinished_responses = sa.Index(
    "ix_responses_unfinished",
    responses.c.is_background,
    responses.c.heard_at,
    sqlite_where=responses.c.finished_at.is_(None),
    postgresql_where=responses.c.finished_at.is_(None),
)

# What a response answers, in order; its output is in the object.
response_input_items = sa.Table(
    "response_input_items",
    metadata,
    sa.Column(
        "response",
        Sequence,
        sa.ForeignKey("responses.sequence", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("item", sa.JSON(none_as_null=True), nullable=False),
)

# The events of background responses, some in a row: those with the numbers from `first` to `last`.
response_events = sa.Table(
    "response_events",
    metadata,
    sa.Column(
        "response",
        Sequence,
        sa.ForeignKey("responses.sequence", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    sa.Column("first", sa.Integer, primary_key=True),
    sa.Column("last", sa.Integer, nullable=False),
    sa.Column("events", sa.JSON(none_as_null=True), nullable=False),
)
