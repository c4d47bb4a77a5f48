"""Texts and code that answers must not copy: added by commands, looked up while answers are made."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from smalt.core.clock import now
from smalt.core.errors import NotFound
from smalt.core.ids import short_id
from smalt.store.database import Database
from smalt.store.tables import protected_fingerprints, revisions
from smalt.store.tables import protected_materials as table
from smalt.store.upserting import add_counts

Kind = Literal["text", "code"]

FRESH_SECONDS = 1.0
ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class NewMaterial:
    """A material as it is added: where it comes from, and its fingerprints with their positions."""

    kind: Kind
    name: str
    digest: str
    tokens: int
    fingerprints: Sequence[tuple[int, int]]
    url: str | None = None
    license: str | None = None


@dataclass(frozen=True, slots=True)
class Material:
    """A text or a piece of code that answers must not copy."""

    id: str
    kind: Kind
    name: str
    url: str | None
    license: str | None
    tokens: int
    created_at: int


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A fingerprint in a material; `sequence` is the material's number."""

    fingerprint: int
    sequence: int
    position: int


class ProtectedMaterials:
    """The materials of a database, and their fingerprints."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kinds: frozenset[Kind] = frozenset()
        self._revision: int | None = None
        self._looked_at = float("-inf")
        self._looking = asyncio.Lock()

    async def kinds(self) -> frozenset[Kind]:
        """Of which kinds there are materials, at most a second out of date."""
        if time.monotonic() - self._looked_at >= FRESH_SECONDS:
            await self._refresh()
        return self._kinds

    async def add(self, new: NewMaterial) -> Material:
        """Keep a material; one that is there already gets the new name, address and licence."""
        made = await self._database.write(lambda connection: _add(connection, new))
        self._forget()
        return made

    async def list(self) -> list[Material]:
        """Every material, oldest first."""

        def select(connection: sa.Connection) -> "list[Material]":
            return [_material(row) for row in connection.execute(sa.select(table).order_by(table.c.sequence))]

        return await self._database.read(select)

    async def remove(self, name_or_id: str) -> "list[Material]":
        """Drop the material with an id, or all that have a name; servers see it within a second."""

        def delete(connection: sa.Connection) -> "list[Material]":
            named = sa.or_(table.c.id == name_or_id, table.c.name == name_or_id)
            rows = connection.execute(sa.delete(table).where(named).returning(table)).all()
            if not rows:
                raise NotFound(f"No protected material has the name or id '{name_or_id}'. See: smalt protected list")
            _count_change(connection)
            return [_material(row) for row in rows]

        removed = await self._database.write(delete)
        self._forget()
        return removed

    async def occurrences(self, kind: Kind, fingerprints: Iterable[int]) -> "list[Occurrence]":
        """Where these fingerprints are in the materials of a kind."""
        wanted = sorted(set(fingerprints))

        def select(connection: sa.Connection) -> "list[Occurrence]":
            found: list[Occurrence] = []
            for start in range(0, len(wanted), ROWS_AT_ONCE):
                found += _looked_up(connection, wanted[start : start + ROWS_AT_ONCE])
            known = _of_kind(connection, kind, {one.sequence for one in found})
            return [one for one in found if one.sequence in known]

        return await self._database.read(select) if wanted else []

    async def get(self, sequence: int) -> Material | None:
        """The material with this number; None when it was removed."""

        def select(connection: sa.Connection) -> Material | None:
            row = connection.execute(sa.select(table).where(table.c.sequence == sequence)).one_or_none()
            return None if row is None else _material(row)

        return await self._database.read(select)

    def _forget(self) -> None:
        self._looked_at = float("-inf")

    async def _refresh(self) -> None:
        async with self._looking:
            looked_at = time.monotonic()
            if looked_at - self._looked_at < FRESH_SECONDS:
                return
            known = self._revision
            changed = await self._database.read(lambda connection: _changed_since(connection, known))
            if changed is not None:
                self._revision, self._kinds = changed
            self._looked_at = looked_at


def _add(connection: sa.Connection, new: NewMaterial) -> Material:
    told = {"name": new.name, "url": new.url, "license": new.license}
    same = sa.and_(table.c.kind == new.kind, table.c.digest == new.digest)
    row = connection.execute(sa.update(table).where(same).values(told).returning(table)).one_or_none()
    if row is not None:
        return _material(row)
    values = {
        **told,
        "id": short_id("pm_"),
        "kind": new.kind,
        "digest": new.digest,
        "tokens": new.tokens,
        "created_at": now(),
    }
    row = connection.execute(sa.insert(table).values(values).returning(table)).one()
    rows = [
        {"fingerprint": fingerprint, "material": row.sequence, "position": position}
        for fingerprint, position in new.fingerprints
    ]
    connection.execute(sa.insert(protected_fingerprints), rows)
    _count_change(connection)
    return _material(row)


def _looked_up(connection: sa.Connection, fingerprints: Sequence[int]) -> list[Occurrence]:
    known = protected_fingerprints.c
    # Without a join: it would lead the database to begin with the materials, of which there are many.
    query = (
        sa.select(known.fingerprint, known.material, known.position)
        .where(known.fingerprint.in_(fingerprints))
        .order_by(known.material, known.position)
    )
    return [Occurrence(*row) for row in connection.execute(query)]


def _of_kind(connection: sa.Connection, kind: Kind, sequences: set[int]) -> frozenset[int]:
    some = sorted(sequences)
    kept: set[int] = set()
    for start in range(0, len(some), ROWS_AT_ONCE):
        among = table.c.sequence.in_(some[start : start + ROWS_AT_ONCE])
        kept.update(connection.execute(sa.select(table.c.sequence).where(among, table.c.kind == kind)).scalars())
    return frozenset(kept)


def _count_change(connection: sa.Connection) -> None:
    add_counts(connection, revisions, identity={"name": table.name}, counts={"number": 1})


def _changed_since(connection: sa.Connection, known: int | None) -> tuple[int, frozenset[Kind]] | None:
    query = sa.select(revisions.c.number).where(revisions.c.name == table.name)
    revision = connection.execute(query).scalar_one_or_none() or 0
    if revision == known:
        return None
    return revision, frozenset(connection.execute(sa.select(table.c.kind).distinct()).scalars())


def _material(row: sa.Row[Any]) -> Material:
    return Material(
        id=row.id,
        kind=row.kind,
        name=row.name,
        url=row.url,
        license=row.license,
        tokens=row.tokens,
        created_at=row.created_at,
    )
