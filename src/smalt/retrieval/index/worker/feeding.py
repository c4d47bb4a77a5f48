"""Reads the database for the index, in short transactions, on threads of the index's own process."""

from collections.abc import Iterator, Sequence

from smalt.store.connecting import connect, database_url
from smalt.store.failures import mapping_failures
from smalt.store.index_feed import (
    Feed,
    VectorRow,
    read_all,
    read_changes,
    read_texts,
    read_vectors,
    read_versions,
)

CONNECTIONS = 3


class Source:
    """The database that the index is made from."""

    def __init__(self, database: str) -> None:
        self._engine = connect(database_url(database), "read", connections=CONNECTIONS)

    def versions(self, stores: Sequence[int]) -> dict[int, int]:
        """The versions of those stores that are still there."""
        with mapping_failures(), self._engine.connect() as connection:
            return read_versions(connection, stores)

    def everything(self, store: int) -> Feed | None:
        """All files of a store; None when it is gone."""
        with mapping_failures(), self._engine.connect() as connection:
            return read_all(connection, store)

    def changes(self, store: int, since: int) -> Feed | None:
        """What changed since a version; None when that cannot be told, or when the store is gone."""
        with mapping_failures(), self._engine.connect() as connection:
            return read_changes(connection, store, since)

    def vectors(self, files: Sequence[int]) -> Iterator[VectorRow]:
        """The vectors of some files."""
        with mapping_failures(), self._engine.connect() as connection:
            yield from read_vectors(connection, files)

    def texts(self, files: Sequence[int]) -> Iterator[tuple[int, int, str]]:
        """The texts of the chunks of some files."""
        with mapping_failures(), self._engine.connect() as connection:
            yield from read_texts(connection, files)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()
