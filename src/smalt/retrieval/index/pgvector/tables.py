"""The index's own tables, made when they are first needed; all that is in them is copied from the store."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.exc import DBAPIError

from smalt.core.errors import NotInstalled

MOST_INDEXED_DIMENSIONS = 4000
"""pgvector has no graph over longer half-precision vectors; they are compared one by one."""

metadata = sa.MetaData()

index_stores = sa.Table(
    "smalt_index_stores",
    metadata,
    sa.Column("vector_store", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("version", sa.BigInteger, nullable=False),
)

index_files = sa.Table(
    "smalt_index_files",
    metadata,
    sa.Column("file", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("vector_store", sa.BigInteger, nullable=False, index=True),
    sa.Column("content", sa.BigInteger, nullable=False),
    sa.Column("chunks", sa.Integer, nullable=False),
    sa.Column("attributes", JSONB, nullable=False),
)

index_texts = sa.Table(
    "smalt_index_texts",
    metadata,
    sa.Column("chunk", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("file", sa.BigInteger, nullable=False, index=True),
    sa.Column("words", TSVECTOR, nullable=False),
    sa.Index("ix_smalt_index_texts_words", "words", postgresql_using="gin"),
)


class HalfVector(sa.types.UserDefinedType[str]):
    """pgvector's vectors of 16-bit floats, written as text."""

    cache_ok = True

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions

    def get_col_spec(self, **_: object) -> str:
        """The type's name in SQL."""
        return f"halfvec({self.dimensions})"


def vectors_table(dimensions: int) -> sa.Table:
    """The table of vectors of one size."""
    name = f"smalt_index_vectors_{dimensions}"
    if name in metadata.tables:
        return metadata.tables[name]
    table = sa.Table(
        name,
        metadata,
        sa.Column("chunk", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("file", sa.BigInteger, nullable=False, index=True),
        sa.Column("vector", HalfVector(dimensions), nullable=False),
    )
    if dimensions <= MOST_INDEXED_DIMENSIONS:
        by_inner_product = {"vector": "halfvec_ip_ops"}
        sa.Index(f"ix_{name}_vector", table.c.vector, postgresql_using="hnsw", postgresql_ops=by_inner_product)
    return table


def make_tables(connection: sa.Connection) -> None:
    """Make the extension and the tables where they are missing."""
    known = connection.execute(sa.text("SELECT 1 FROM pg_extension WHERE extname = 'vector'")).scalar()
    if not known:
        _make_extension(connection)
    for table in (index_stores, index_files, index_texts):
        table.create(connection, checkfirst=True)


def has_table(connection: sa.Connection, table: sa.Table) -> bool:
    """Whether a table is there."""
    return connection.execute(sa.select(sa.func.to_regclass(table.name))).scalar() is not None


def _make_extension(connection: sa.Connection) -> None:
    try:
        connection.execute(sa.text("CREATE EXTENSION IF NOT EXISTS vector"))
    except DBAPIError as error:
        raise NotInstalled(
            "retrieval.index is 'pgvector', and the database has no extension 'vector'. Install pgvector on the "
            "PostgreSQL server and run CREATE EXTENSION vector there, or set retrieval.index = 'embedded'."
        ) from error
