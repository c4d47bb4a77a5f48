"""How close stored chunks are to a vector: exact cosines of a few chunks, from the vectors in the store."""

import struct
from collections import defaultdict
from collections.abc import Iterable
from operator import mul

import sqlalchemy as sa

from smalt.store.tables import chunk_vectors

Key = tuple[int, int]
HALF_BYTES = 2


def in_bounds(cosine: float) -> float:
    """A cosine as a score in 0..1; what points away is as bad as what has nothing to do with it."""
    return min(max(cosine, 0.0), 1.0)


def read_closeness(connection: sa.Connection, keys: Iterable[Key], vector: bytes) -> dict[Key, float]:
    """How near each chunk is to `vector` (float32, of unit length), in 0..1; chunks without a vector are left out."""
    wanted: defaultdict[int, set[int]] = defaultdict(set)
    for file, position in keys:
        wanted[file].add(position)
    asked = struct.unpack(f"<{len(vector) // 4}f", vector)
    columns = chunk_vectors.c
    close: dict[Key, float] = {}
    query = sa.select(columns.file, columns.position, columns.count, columns.dimensions, columns.vectors)
    for file, positions in wanted.items():
        near = sa.and_(columns.file == file, columns.position <= max(positions), columns.dimensions == len(asked))
        for row in connection.execute(query.where(near)):
            for position in positions & set(range(row.position, row.position + row.count)):
                close[file, position] = in_bounds(_cosine(asked, row.vectors, position - row.position))
    return close


def read_dimensions(connection: sa.Connection, sequences: Iterable[int]) -> int | None:
    """How many numbers the vectors of these files have; None when there are none."""
    query = sa.select(chunk_vectors.c.dimensions).where(chunk_vectors.c.file.in_(list(sequences))).limit(1)
    return connection.execute(query).scalar_one_or_none()


def _cosine(asked: tuple[float, ...], rows: bytes, number: int) -> float:
    size = len(asked) * HALF_BYTES
    stored = struct.unpack(f"<{len(asked)}e", rows[number * size : (number + 1) * size])
    return sum(map(mul, asked, stored))
