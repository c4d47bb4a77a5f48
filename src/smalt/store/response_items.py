"""Finds stored items by their own ids: those that responses put out or were asked with."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from smalt.store.database import Database
from smalt.store.response_rows import read_input
from smalt.store.tables import responses as table

Json = dict[str, Any]

SHARED = 18
"""So many digits of an item's id are those of its response."""


class ResponseItems:
    """The items of stored responses; a caller sees its own project's only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_items(self, project: str, item_ids: Sequence[str]) -> dict[str, Json]:
        """Those of these items that are in a stored response, by id."""

        def read(connection: sa.Connection) -> dict[str, Json]:
            found: dict[str, Json] = {}
            for item_id in item_ids:
                if item_id not in found:
                    found |= _items_beside(connection, project, item_id)
            return {item_id: found[item_id] for item_id in item_ids if item_id in found}

        return await self._database.read(read) if item_ids else {}


def _items_beside(connection: sa.Connection, project: str, item_id: str) -> dict[str, Json]:
    """All items of the response that an item's id tells of; none for an id that was not made here."""
    start = f"resp_{item_id.partition('_')[2][:SHARED]}"
    if len(start) < len("resp_") + SHARED or not start.removeprefix("resp_").isalnum():
        return {}
    mine = (table.c.project == project, table.c.deleted_at.is_(None))
    # Ids with one beginning stand together in the index; `g` comes behind every hex digit, in any collation.
    query = sa.select(table).where(*mine, table.c.id >= start, table.c.id < f"{start}g")
    items: dict[str, Json] = {}
    for row in connection.execute(query):
        items |= {item["id"]: item for item in [*read_input(connection, row.sequence), *row.response["output"]]}
    return items
