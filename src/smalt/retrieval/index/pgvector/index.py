"""Searches the index inside PostgreSQL."""

import struct
from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from smalt.core.errors import InvalidRequest
from smalt.core.settings import Settings
from smalt.retrieval.index.fusion import candidates, fuse, one_sided
from smalt.retrieval.index.pgvector.filters import condition
from smalt.retrieval.index.pgvector.following import Follower
from smalt.retrieval.index.pgvector.tables import has_table, index_files, index_texts, vectors_table
from smalt.retrieval.index.words import words_of
from smalt.retrieval.protocols import Hit, IndexQuery
from smalt.store.database import Database

EXACT_CHUNKS = 20_000
"""So many vectors are compared one by one; the graph over all vector stores is for larger ones."""

GRAPH_CANDIDATES = 200
MOST_WORDS = 64
LONGEST_WORD = 60
FLOAT_BYTES = 4
MOST_EF = 1000
"""The widest that pgvector looks in one turn."""

# How PostgreSQL normalises ranks.
BY_LENGTH = 1
INTO_0_TO_1 = 32


class PgvectorIndex:
    """Vectors in a graph of pgvector, words in PostgreSQL's own full text, filters in SQL."""

    def __init__(self, settings: Settings, database: Database) -> None:
        url = settings.database.url
        if url is None or not url.get_secret_value().startswith("postgres"):
            raise InvalidRequest(
                "retrieval.index is 'pgvector', which needs a PostgreSQL database. Set database.url to "
                "postgresql://USER:PASSWORD@HOST/NAME, or retrieval.index to 'embedded'."
            )
        self._database = database
        self._follower = Follower(database)

    async def search(self, query: IndexQuery) -> list[Hit]:
        """The best hits; nothing when the store is gone."""
        if not await self._follower.catch_up(query.vector_store, query.at_least_version):
            return []
        return await self._database.read(lambda connection: _search(connection, query))

    async def forget(self, vector_store: int) -> None:
        """Remove everything about a store."""
        await self._follower.forget(vector_store)

    async def close(self) -> None:
        """The database is its owner's to close."""


def _search(connection: sa.Connection, query: IndexQuery) -> list[Hit]:
    wanted = query.limit if query.mode != "hybrid" else candidates(query.limit)
    by_vector = _by_vector(connection, query, wanted) if query.mode != "text" else {}
    by_text = _by_text(connection, query, wanted) if query.mode != "semantic" else {}
    if query.mode != "hybrid":
        is_vector = query.mode == "semantic"
        return one_sided(by_vector if is_vector else by_text, is_vector=is_vector, limit=query.limit)
    weights = {"vector_weight": query.vector_weight, "text_weight": query.text_weight}
    return fuse(by_vector, by_text, **weights, limit=query.limit)


def _by_vector(connection: sa.Connection, query: IndexQuery, wanted: int) -> dict[int, float]:
    best: dict[int, float] = {}
    for data in query.vectors:
        for chunk, score in _nearest(connection, query, data, wanted):
            best[chunk] = max(best.get(chunk, 0.0), min(1.0, score))
    return best


def _nearest(connection: sa.Connection, query: IndexQuery, data: bytes, wanted: int) -> Iterator[tuple[int, float]]:
    numbers = struct.unpack(f"<{len(data) // FLOAT_BYTES}f", data)
    table = vectors_table(len(numbers))
    if not has_table(connection, table):
        return
    wanted_vector = "[" + ",".join(f"{one:.7g}" for one in numbers) + "]"
    distance: sa.ColumnElement[float] = table.c.vector.op("<#>", return_type=sa.Float())(
        sa.cast(wanted_vector, table.c.vector.type)
    )
    files = sa.select(index_files.c.file).where(*_files(query))
    rows = sa.select(table.c.chunk, distance.label("distance")).where(table.c.file.in_(files))
    if _chunks(connection, query) <= EXACT_CHUNKS:
        # The graph knows nothing of stores and filters, so it is left aside while comparing all is quick.
        compared = rows.cte("compared").prefix_with("MATERIALIZED")
        rows = sa.select(compared.c.chunk, compared.c.distance).order_by(compared.c.distance, compared.c.chunk)
    else:
        connection.execute(sa.text(f"SET LOCAL hnsw.ef_search = {min(MOST_EF, max(GRAPH_CANDIDATES, wanted))}"))
        connection.execute(sa.text("SET LOCAL hnsw.iterative_scan = strict_order"))
        rows = rows.order_by(distance)
    for row in connection.execute(rows.limit(wanted)):
        yield row.chunk, max(0.0, -row.distance)


def _by_text(connection: sa.Connection, query: IndexQuery, wanted: int) -> dict[int, float]:
    best: dict[int, float] = {}
    for text in query.texts:
        words = [word for word in dict.fromkeys(words_of(text)) if len(word) <= LONGEST_WORD][:MOST_WORDS]
        if words:
            for row in connection.execute(_ranked(query, words).limit(wanted)):
                best[row.chunk] = max(best.get(row.chunk, 0.0), min(1.0, row.rank))
    return best


def _ranked(query: IndexQuery, words: Sequence[str]) -> sa.Select[int, float]:
    """The chunks with any of some words; PostgreSQL's rank r becomes r / (r + 1), and long chunks count for less."""
    looked_for = sa.func.to_tsquery("simple", " | ".join(f"'{word}'" for word in words))
    rank = sa.func.ts_rank(index_texts.c.words, looked_for, BY_LENGTH | INTO_0_TO_1)
    files = sa.select(index_files.c.file).where(*_files(query))
    found = index_texts.c.words.op("@@", return_type=sa.Boolean())(looked_for)
    rows = sa.select(index_texts.c.chunk, rank.label("rank")).where(found, index_texts.c.file.in_(files))
    return rows.order_by(rank.desc(), index_texts.c.chunk)


def _chunks(connection: sa.Connection, query: IndexQuery) -> int:
    count = sa.func.coalesce(sa.func.sum(index_files.c.chunks), 0)
    return connection.execute(sa.select(count).where(*_files(query))).scalar_one()


def _files(query: IndexQuery) -> list[sa.ColumnElement[bool]]:
    """What a row of `index_files` must keep for its chunks to be found."""
    conditions: list[sa.ColumnElement[bool]] = [index_files.c.vector_store == query.vector_store]
    if query.filter is not None:
        conditions.append(condition(query.filter))
    if query.files is not None:
        conditions.append(index_files.c.file == sa.any_(sa.cast(sorted(query.files), ARRAY(sa.BigInteger))))
    return conditions
