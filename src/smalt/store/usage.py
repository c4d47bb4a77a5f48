"""Counts what keys, models and end users use: in memory at once, in the database within a second."""

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import lru_cache
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

import orjson
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from smalt.core.clock import now
from smalt.core.errors import ApiError
from smalt.store.database import Database
from smalt.store.tables import end_users, keys
from smalt.store.tables import usage as table
from smalt.store.upserting import add_counts, insert_missing

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 1.0
DAY_SECONDS = 86_400
NAME_LENGTH = 1024

GroupBy = Literal["key", "project", "model", "operation", "day", "user"]


@dataclass(frozen=True, slots=True)
class EndUser:
    """Who a request was made for, as the fields `user` and `user_security_context` say."""

    user: str | None = None
    application_name: str | None = None
    end_user_id: str | None = None
    end_user_tenant_id: str | None = None
    source_ip: str | None = None

    @property
    def is_known(self) -> bool:
        """Whether the request said anything about its end user."""
        return any(self.columns().values())

    def columns(self) -> dict[str, str | None]:
        """The fields as the table keeps them, cut to what it can hold."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: value[:NAME_LENGTH] if value else None for name, value in values.items()}


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of one request, or of many."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class UsageRow:
    """What was used by one group: `group` names it (a key's name, a model, a day, an end user)."""

    group: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    reasoning_tokens: int


COUNTERS = ("requests", *(item.name for item in fields(Tokens)))


NOBODY = EndUser()


class _Entry(NamedTuple):
    day: str
    key_id: str
    project: str
    model: str
    operation: str
    end_user: EndUser


@dataclass(slots=True)
class _Pending:
    """Counts that are not in the database yet."""

    counts: dict[_Entry, list[int]] = field(default_factory=dict[_Entry, list[int]])
    last_used_at: dict[str, int] = field(default_factory=dict[str, int])

    def add(self, entry: _Entry, counts: list[int]) -> None:
        known = self.counts.setdefault(entry, [0] * len(COUNTERS))
        for index, count in enumerate(counts):
            known[index] += count

    def merge(self, other: "_Pending") -> None:
        for entry, counts in other.counts.items():
            self.add(entry, counts)
        self.last_used_at = other.last_used_at | self.last_used_at


class UsageRecorder:
    """Adds up usage in memory and writes it every second and on leaving; use it as a context manager.

    A server that is killed forgets the usage of its last second, never more.
    """

    def __init__(self, database: Database, *, flush_seconds: float = FLUSH_SECONDS) -> None:
        self._database = database
        self._flush_seconds = flush_seconds
        self._pending = _Pending()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._flush_until_stopped(), name="smalt-usage")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def record(
        self,
        tokens: Tokens,
        *,
        key_id: str,
        project: str,
        model: str,
        operation: str,
        end_user: EndUser | None = None,
    ) -> None:
        """Count one request; never waits."""
        used_at = now()
        entry = _Entry(_day(used_at // DAY_SECONDS), key_id, project, model, operation, end_user or NOBODY)
        self._pending.add(entry, [1, *(getattr(tokens, name) for name in COUNTERS[1:])])
        self._pending.last_used_at[key_id] = used_at

    async def flush(self) -> None:
        """Write what was counted so far; keeps it for the next time when the database refuses."""
        taken, self._pending = self._pending, _Pending()
        if not taken.counts:
            return
        try:
            await self._database.write(lambda connection: _write(connection, taken))
        except Exception:
            taken.merge(self._pending)
            self._pending = taken
            raise

    async def close(self) -> None:
        """Write the rest and stop; safe to call twice."""
        self._stopping.set()
        task, self._task = self._task, None
        if task is not None:
            await task
        await self.flush()

    async def _flush_until_stopped(self) -> None:
        while not self._stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._flush_seconds)
            try:
                await self.flush()
            except (ApiError, SQLAlchemyError):
                logger.exception("usage was not written; it is kept for the next attempt")


async def read_usage(database: Database, *, by: GroupBy, since: str | None = None) -> list[UsageRow]:
    """What was used, added up by one dimension, from the UTC day `since` (`2026-01-31`) on."""
    group, source = _grouping(by)
    sums = [sa.func.sum(table.c[name]).label(name) for name in COUNTERS]
    query = sa.select(group.label("group"), *sums).select_from(source).group_by(group)
    if since is not None:
        query = query.where(table.c.day >= since)
    order = group.asc() if by == "day" else sa.func.sum(table.c.prompt_tokens + table.c.completion_tokens).desc()

    def select(connection: sa.Connection) -> list[UsageRow]:
        rows = connection.execute(query.order_by(order, group)).mappings()
        return [UsageRow(str(row["group"]), *(int(row[name]) for name in COUNTERS)) for row in rows]

    return await database.read(select)


@lru_cache(maxsize=2)
def _day(number: int) -> str:
    """The UTC day with this number since 1970; cached, since every request asks for today."""
    return datetime.fromtimestamp(number * DAY_SECONDS, UTC).date().isoformat()


def _grouping(by: GroupBy) -> tuple[sa.ColumnElement[Any], sa.FromClause]:
    if by == "key":
        return sa.func.coalesce(keys.c.name, table.c.key_id), table.outerjoin(keys, keys.c.id == table.c.key_id)
    if by == "user":
        named = sa.func.coalesce(end_users.c.user, end_users.c.end_user_id, end_users.c.application_name, "-")
        return named, table.outerjoin(end_users, end_users.c.id == table.c.end_user)
    return table.c[by], table


def _write(connection: sa.Connection, pending: _Pending) -> None:
    for end_user in {entry.end_user for entry in pending.counts if entry.end_user.is_known}:
        columns = end_user.columns()
        insert_missing(connection, end_users, row={"id": _end_user_id(columns), **columns})
    for entry, counts in pending.counts.items():
        identity = {name: getattr(entry, name) for name in ("day", "key_id", "project", "model", "operation")}
        identity["end_user"] = _end_user_id(entry.end_user.columns()) if entry.end_user.is_known else ""
        add_counts(connection, table, identity=identity, counts=dict(zip(COUNTERS, counts, strict=True)))
    for key_id, used_at in pending.last_used_at.items():
        later = sa.or_(keys.c.last_used_at.is_(None), keys.c.last_used_at < used_at)
        connection.execute(sa.update(keys).where(keys.c.id == key_id, later).values(last_used_at=used_at))


def _end_user_id(columns: Mapping[str, str | None]) -> str:
    return hashlib.sha256(orjson.dumps(columns, option=orjson.OPT_SORT_KEYS)).hexdigest()
