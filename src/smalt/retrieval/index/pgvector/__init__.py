"""The index inside PostgreSQL, by its extension pgvector: for those who have outgrown one machine."""

from smalt.retrieval.index.pgvector.index import PgvectorIndex

__all__ = ["PgvectorIndex"]
