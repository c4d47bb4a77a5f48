"""A vector store of any size for measurements: made vectors, natural words, attributes to filter by."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from smalt.cli.bench.words import passages
from smalt.store.connecting import connect, database_url
from smalt.store.database import default_database
from smalt.store.migrating import migrate
from smalt.store.tables import chunk_vectors, chunks, vector_store_files, vector_stores

DIMENSIONS = 384
CHUNKS_A_FILE = 50
FILES_AT_ONCE = 200
WORDS = 60
TOPICS = 4000
PROJECT = "bench"
STORE_ID = "vs_bench"

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Library:
    """Where the vectors of a filled vector store are, what is asked of it, and what is right."""

    sequence: int
    version: int
    vectors: Path
    queries: Floats
    texts: tuple[str, ...]


def fill(folder: Path, number: int, queries: int) -> Library:
    """Make a database with one vector store of `number` chunks."""
    migrate(default_database(folder))
    engine = connect(database_url(default_database(folder)))
    random = np.random.default_rng(1)
    made = Maker(random)
    path = folder / "vectors.npy"
    rows = np.lib.format.open_memmap(path, "w+", np.float16, (number, DIMENSIONS))
    words = passages(WORDS)
    try:
        with engine.begin() as connection:
            sequence = _make_store(connection)
        files = range(0, number, CHUNKS_A_FILE)
        for start in range(0, len(files), FILES_AT_ONCE):
            with engine.begin() as connection:
                for first in files[start : start + FILES_AT_ONCE]:
                    count = min(CHUNKS_A_FILE, number - first)
                    rows[first : first + count] = made.vectors(count)
                    _put(connection, sequence, first, rows[first : first + count], list(islice(words, count)))
        rows.flush()
    finally:
        engine.dispose()
    return Library(sequence, 1, path, made.vectors(queries), tuple(islice(passages(8), queries)))


def tenths(number: int) -> NDArray[np.int64]:
    """The attribute `tenth` of every chunk: 0 to 9, by its file."""
    return (np.arange(number) // CHUNKS_A_FILE) % 10


def keys(first_file: int, number: int) -> NDArray[np.int64]:
    """Every chunk's number of file and position, as hits name them."""
    order = np.arange(number)
    return (first_file + order // CHUNKS_A_FILE) << 20 | order % CHUNKS_A_FILE


def exact(library: Library, allowed: NDArray[np.bool_] | None, most: int) -> NDArray[np.int64]:
    """The rows that are really nearest to each query."""
    rows = np.load(library.vectors, mmap_mode="r")
    scores = np.empty((len(library.queries), 0), np.float32)
    found = np.empty((len(library.queries), 0), np.int64)
    for start in range(0, len(rows), 50_000):
        piece = library.queries @ rows[start : start + 50_000].astype(np.float32).T
        if allowed is not None:
            piece[:, ~allowed[start : start + 50_000]] = -np.inf
        numbers = np.tile(np.arange(start, start + piece.shape[1], dtype=np.int64), (len(piece), 1))
        scores, found = np.concatenate([scores, piece], axis=1), np.concatenate([found, numbers], axis=1)
        best = np.argpartition(-scores, most, axis=1)[:, :most]
        scores, found = np.take_along_axis(scores, best, 1), np.take_along_axis(found, best, 1)
    return found


class Maker:
    """Vectors that lie as embeddings do: in groups of groups, around more and less common topics."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._topics = random.standard_normal((TOPICS, DIMENSIONS), np.float32)
        self._shares = 1 / np.arange(1, TOPICS + 1) ** 0.5
        self._shares /= self._shares.sum()

    def vectors(self, number: int) -> Floats:
        """So many vectors of unit length."""
        topic, side = (self._random.choice(TOPICS, number, p=self._shares) for _ in range(2))
        noise = self._random.standard_normal((number, DIMENSIONS), np.float32)
        rows = self._topics[topic] + 0.7 * self._topics[side] + 0.6 * noise
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def _make_store(connection: sa.Connection) -> int:
    values: dict[str, Any] = {"id": STORE_ID, "project": PROJECT, "created_at": 1, "is_expired": False}
    made = connection.execute(sa.insert(vector_stores).values(**values, embedding_model="bench", version=1))
    assert made.inserted_primary_key
    return made.inserted_primary_key[0]


def _put(connection: sa.Connection, store: int, first: int, rows: NDArray[Any], texts: list[str]) -> None:
    values = {"vector_store": store, "file_id": f"file-{first}", "created_at": 1, "status": "completed", "version": 1}
    values |= {"attributes": {"tenth": first // CHUNKS_A_FILE % 10}, "usage_bytes": 1, "chunks": len(rows)}
    values |= {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}
    made = connection.execute(sa.insert(vector_store_files).values(values))
    assert made.inserted_primary_key
    file = made.inserted_primary_key[0]
    connection.execute(sa.insert(chunks), list(_chunk_rows(file, texts)))
    shape = {"count": len(rows), "dimensions": DIMENSIONS, "vectors": rows.astype("<f2").tobytes()}
    connection.execute(sa.insert(chunk_vectors).values(file=file, position=0, **shape))


def _chunk_rows(file: int, texts: list[str]) -> Iterator[dict[str, Any]]:
    for position, text in enumerate(texts):
        yield {"file": file, "position": position, "text": text, "tokens": WORDS}
