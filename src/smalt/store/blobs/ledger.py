"""The rows that say which content there is, who is about to refer to it, and what must be forgotten."""

from dataclasses import dataclass

import sqlalchemy as sa

from smalt.core.errors import NotFound, Unavailable
from smalt.store.tables import blob_holds as holds
from smalt.store.tables import blobs as table
from smalt.store.tables import container_files, files, upload_parts
from smalt.store.tables import doomed_blobs as doomed
from smalt.store.upserting import insert_missing

BATCH = 200


@dataclass(frozen=True, slots=True)
class Blob:
    """Content that the storage has: its SHA-256 (hexadecimal) and its length.

    Nobody refers to it yet: `hold` keeps it alive until `Blobs.claim`, or until it is given up after a while.
    """

    digest: str
    bytes: int
    key: str
    hold: str


@dataclass(frozen=True, slots=True)
class Reservation:
    """Where content belongs, and whether it was seen there already."""

    key: str
    is_live: bool


def reserve(connection: sa.Connection, blob: Blob, at: int) -> Reservation:
    """Make the row of some content, unless it is there, and hold it; the key of a row that is there wins."""
    row = {"digest": blob.digest, "key": blob.key, "bytes": blob.bytes, "state": "writing", "touched_at": at}
    insert_missing(connection, table, row=row)
    connection.execute(sa.insert(holds).values(id=blob.hold, digest=blob.digest, held_at=at))
    found = connection.execute(sa.select(table.c.key, table.c.state).where(table.c.digest == blob.digest)).one()
    return Reservation(found.key, found.state == "live")


def claim(connection: sa.Connection, blob: Blob, at: int) -> None:
    """Let go of the hold in favour of the row that refers to the blob."""
    connection.execute(sa.delete(holds).where(holds.c.id == blob.hold))
    same = sa.and_(table.c.digest == blob.digest, table.c.key == blob.key)
    changed = connection.execute(sa.update(table).where(same).values(state="live", touched_at=at))
    if changed.rowcount == 0:
        raise Unavailable("What was sent was kept for too long without being used, and is gone. Send it again.")


def release(connection: sa.Connection, digest: str, at: int) -> None:
    """Doom content that nothing refers to and nobody holds."""
    query = sa.select(table.c.key).where(table.c.digest == digest, *_unused())
    key = connection.execute(query).scalar_one_or_none()
    if key is not None:
        insert_missing(connection, doomed, row={"key": key, "doomed_at": at})
        connection.execute(sa.delete(table).where(table.c.digest == digest))


def find(connection: sa.Connection, digest: str) -> tuple[str, int]:
    """The key and the length of some content."""
    row = connection.execute(sa.select(table.c.key, table.c.bytes).where(table.c.digest == digest)).one_or_none()
    if row is None:
        raise NotFound("The content is gone: its file was deleted meanwhile.")
    return row.key, row.bytes


def give_up_holds(connection: sa.Connection, *, before: int, at: int) -> bool:
    """Doom what was held since `before` and never claimed; whether there may be more."""
    query = sa.select(holds.c.id, holds.c.digest).where(holds.c.held_at < before).limit(BATCH)
    rows = connection.execute(query).all()
    connection.execute(sa.delete(holds).where(holds.c.id.in_([row.id for row in rows])))
    for digest in sorted({row.digest for row in rows}):
        release(connection, digest, at)
    return len(rows) == BATCH


def doomed_keys(connection: sa.Connection, *, after: str) -> list[str]:
    """Some of the keys to forget, in order."""
    query = sa.select(doomed.c.key).where(doomed.c.key > after).order_by(doomed.c.key).limit(BATCH)
    return list(connection.execute(query).scalars())


def forget_doomed(connection: sa.Connection, keys: list[str]) -> None:
    """Strike out keys that the storage has forgotten."""
    connection.execute(sa.delete(doomed).where(doomed.c.key.in_(keys)))


def unknown_keys(connection: sa.Connection, keys: list[str]) -> list[str]:
    """Those of the keys that no row has."""
    known = sa.select(table.c.key).where(table.c.key.in_(keys))
    waiting = sa.select(doomed.c.key).where(doomed.c.key.in_(keys))
    return sorted(set(keys) - set(connection.execute(known.union(waiting)).scalars()))


def _unused() -> list[sa.ColumnElement[bool]]:
    referring = (files.c.digest, upload_parts.c.digest, container_files.c.digest, holds.c.digest)
    return [~sa.exists().where(column == table.c.digest) for column in referring]
