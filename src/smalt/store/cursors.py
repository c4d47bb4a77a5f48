"""Pages through the rows of any kind by time of creation: behind or before an object that may be deleted since."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from smalt.core.errors import NotFound
from smalt.store.paging import Order, Page

Condition = sa.ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Slice:
    """Which page a client asks for: at most `limit` objects behind `after`, or right before `before`, by `order`."""

    after: str | None = None
    before: str | None = None
    limit: int = 20
    order: Order = "desc"


@dataclass(frozen=True, slots=True)
class Collection:
    """A list that rows of `table` are in: those that fit `scope` and are not deleted.

    The table has the columns `created_at`, `sequence` and `deleted_at`; `id` is the column that cursors name, `noun`
    what an error calls the objects. A deleted row must stay for a while, so that a page can begin behind it.
    """

    table: sa.Table
    id: sa.Column[Any]
    scope: Condition
    noun: str


def fetch_page(
    connection: sa.Connection, collection: Collection, page: Slice, *, where: tuple[Condition, ...] = ()
) -> Page[sa.Row[Any]]:
    """One page of rows, narrowed by `where`; inserts and deletes meanwhile never repeat or skip the others."""
    backwards = page.after is None and page.before is not None
    ascending = (page.order == "asc") != backwards
    query = sa.select(collection.table).where(collection.scope, collection.table.c.deleted_at.is_(None), *where)
    query = query.where(*_bounds(connection, collection, page))
    columns = (collection.table.c.created_at, collection.table.c.sequence)
    query = query.order_by(*(column.asc() if ascending else column.desc() for column in columns))
    rows = list(connection.execute(query.limit(page.limit + 1)))
    items = rows[: page.limit]
    return Page(items[::-1] if backwards else items, has_more=len(rows) > page.limit)


def _bounds(connection: sa.Connection, collection: Collection, page: Slice) -> list[Condition]:
    position = sa.tuple_(collection.table.c.created_at, collection.table.c.sequence)
    bounds: list[Condition] = []
    if page.after is not None:
        here = _position(connection, collection, page.after, "after")
        bounds.append(position > here if page.order == "asc" else position < here)
    if page.before is not None:
        here = _position(connection, collection, page.before, "before")
        bounds.append(position < here if page.order == "asc" else position > here)
    return bounds


def _position(connection: sa.Connection, collection: Collection, cursor: str, param: str) -> Any:
    columns = (collection.table.c.created_at, collection.table.c.sequence)
    # The live row of an id comes first, then the one that was deleted last.
    query = (
        sa.select(*columns)
        .where(collection.scope, collection.id == cursor)
        .order_by(collection.table.c.deleted_at.is_not(None), collection.table.c.sequence.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"No {collection.noun} has the id '{cursor}'; list from the start again.", param=param)
    return sa.tuple_(sa.literal(row[0]), sa.literal(row[1]))
