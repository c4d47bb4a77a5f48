"""Keeps the answers to requests that name an idempotency key, and who works on such a request now."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from smalt.core.clock import now
from smalt.core.ids import random_id
from smalt.store.database import Database
from smalt.store.tables import idempotent_answers as table
from smalt.store.upserting import insert_missing

KEPT_SECONDS = 86_400
CLAIMED_SECONDS = 10
"""How long a claim holds unless it is put off; a server that was killed holds up the next request no longer."""

BATCH = 100

Header = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a request, while it lasts."""

    id: str
    project: str
    key_digest: str


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What a request was answered with; `request_digest` tells which request it was."""

    request_digest: str
    status: int
    headers: Sequence[Header]
    content: bytes


class IdempotentAnswers:
    """The answers and claims of every project; a key means something in its own project only."""

    def __init__(self, database: Database, *, clock: Callable[[], int] = now) -> None:
        self._database = database
        self._clock = clock

    async def claim(self, project: str, key: str) -> Claim | KeptAnswer | None:
        """The kept answer, or else a claim; None while somebody else works on the request."""
        wanted = Claim(random_id("claim_"), project, sha256(key.encode()).hexdigest())
        query = sa.select(table).where(*_place(wanted))

        def work(connection: sa.Connection) -> Claim | KeptAnswer | None:
            moment = self._clock()
            row = connection.execute(query).one_or_none()
            if row is None:
                fresh = {**_identity(wanted), **_fresh(wanted, moment)}
                insert_missing(connection, table, row=fresh)
                row = connection.execute(query).one()
                return wanted if row.claim_id == wanted.id else None
            ends_at = row.claimed_until if row.status is None else row.expires_at
            if ends_at > moment:
                return None if row.status is None else _kept(row)
            taken = sa.update(table).where(*_place(wanted), table.c.claim_id == row.claim_id)
            is_ours = connection.execute(taken.values(_fresh(wanted, moment))).rowcount == 1
            return wanted if is_ours else None

        found = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        if found is not None and found.status is not None and found.expires_at > self._clock():
            return _kept(found)
        return await self._database.write(work)

    async def put_off(self, claim: Claim) -> None:
        """Let a claim hold for longer, if it still does."""

        def work(connection: sa.Connection) -> None:
            # Counted from when it is written: the database may have been busy for as long as a claim holds.
            values = {"claimed_until": self._clock() + CLAIMED_SECONDS}
            connection.execute(sa.update(table).where(*_mine(claim)).values(values))

        await self._database.write(work)

    async def keep(self, claim: Claim, answer: KeptAnswer) -> None:
        """Keep the answer in the claim's place, if it still holds; durable when this returns."""
        values: dict[str, Any] = {
            "request_digest": answer.request_digest,
            "status": answer.status,
            "headers": [list(header) for header in answer.headers],
            "content": answer.content,
            "expires_at": self._clock() + KEPT_SECONDS,
        }
        await self._change(sa.update(table).where(*_mine(claim)).values(values))

    async def release(self, claim: Claim) -> None:
        """Give a claim back, so that the next request is worked on."""
        await self._change(sa.delete(table).where(*_mine(claim)))

    async def _change(self, statement: sa.Update | sa.Delete) -> None:
        await self._database.write(lambda connection: connection.execute(statement).close())


class ExpiredIdempotentAnswers:
    """The sweep that forgets what has expired."""

    name = "idempotent-answers"
    seconds = 60.0

    def __init__(self, database: Database, *, clock: Callable[[], int] = now) -> None:
        self._database = database
        self._clock = clock

    async def sweep(self) -> None:
        """Do it now, a little at a time."""
        has_expired = table.c.expires_at <= self._clock()
        some = sa.select(table.c.project, table.c.key_digest).where(has_expired).limit(BATCH)
        # Once more, since a row may have been claimed anew after it was found.
        forget = sa.delete(table).where(sa.tuple_(table.c.project, table.c.key_digest).in_(some), has_expired)
        while await self._database.write(lambda connection: connection.execute(forget).rowcount) == BATCH:
            pass


def _identity(claim: Claim) -> dict[str, str]:
    return {"project": claim.project, "key_digest": claim.key_digest}


def _place(claim: Claim) -> Sequence[sa.ColumnElement[bool]]:
    return table.c.project == claim.project, table.c.key_digest == claim.key_digest


def _mine(claim: Claim) -> Sequence[sa.ColumnElement[bool]]:
    return *_place(claim), table.c.claim_id == claim.id, table.c.status.is_(None)


def _fresh(claim: Claim, moment: int) -> dict[str, Any]:
    """A claim of this moment, without an answer that may have been there."""
    return {
        "claim_id": claim.id,
        "claimed_until": moment + CLAIMED_SECONDS,
        "request_digest": None,
        "status": None,
        "headers": None,
        "content": None,
        "expires_at": moment + KEPT_SECONDS,
    }


def _kept(row: sa.Row[Any]) -> KeptAnswer:
    return KeptAnswer(row.request_digest, row.status, [(name, value) for name, value in row.headers], row.content)
