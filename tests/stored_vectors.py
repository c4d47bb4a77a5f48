"""Files, chunks and jobs in a database, for tests of vector stores that need no models."""

import sqlalchemy as sa

from smalt.api.vector_stores.ingestion import IngestionJobs
from smalt.core.clock import now
from smalt.core.ids import short_id
from smalt.jobs.queue import JobQueue
from smalt.store.database import Database
from smalt.store.file_batches import FileBatches
from smalt.store.tables import chunk_vectors, chunks, files, vector_store_files, vector_stores
from smalt.store.vector_store_files import Attachment, VectorStoreFiles
from smalt.store.vector_store_rows import bump
from smalt.store.vector_stores import NewVectorStore, VectorStores


class Shelf:
    """Everything that remembers vector stores, over one database."""

    def __init__(self, database: Database) -> None:
        queue = IngestionJobs(JobQueue())
        self.database = database
        self.stores = VectorStores(database, queue)
        self.files = VectorStoreFiles(database, queue)
        self.batches = FileBatches(database, queue)

    async def upload(self, count: int = 1, project: str = "default", **columns) -> list[str]:
        """Rows of files as an upload leaves them; only their content is missing."""
        ids = [short_id("file-") for _ in range(count)]
        shared = {"project": project, "purpose": "assistants", "bytes": 7, "created_at": now(), "status": "processed"}
        rows = [{**shared, "id": one, "filename": f"{one}.txt", **columns} for one in ids]
        await self.database.write(lambda connection: connection.execute(sa.insert(files), rows) and None)
        return ids

    async def create(self, *file_ids: str, project: str = "default", **options):
        new = NewVectorStore(attachments=[attached(one) for one in file_ids], **options)
        return await self.stores.create(project, new, embedding_model="echo")

    async def ingest(self, file_id: str, *texts: str, status: str = "completed") -> None:
        """What ingestion leaves: chunks, a vector for each, and the file's new status."""

        def finish(connection: sa.Connection) -> None:
            live = (vector_store_files.c.file_id == file_id, vector_store_files.c.deleted_at.is_(None))
            for row in connection.execute(sa.select(vector_store_files).where(*live)).all():
                put_chunks(connection, row.sequence, texts)
                values = {"status": status, "version": bump(connection, row.vector_store)}
                values |= {"usage_bytes": sum(map(len, texts)), "chunks": len(texts)}
                changed = sa.update(vector_store_files).where(vector_store_files.c.sequence == row.sequence)
                connection.execute(changed.values(values))

        await self.database.write(finish)

    async def count(self, table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
        query = sa.select(sa.func.count()).select_from(table).where(*where)
        return await self.database.read(lambda connection: connection.execute(query).scalar_one())

    async def set_store(self, vector_store_id: str, **columns) -> None:
        change = sa.update(vector_stores).where(vector_stores.c.id == vector_store_id).values(columns)
        await self.database.write(lambda connection: connection.execute(change) and None)


def attached(file_id: str, **options) -> Attachment:
    return Attachment(file_id, 800, 400, **options)


def put_chunks(connection: sa.Connection, file: int, texts: tuple[str, ...]) -> None:
    rows = [{"file": file, "position": n, "text": text, "tokens": 1} for n, text in enumerate(texts)]
    if rows:
        connection.execute(sa.insert(chunks), rows)
        vectors = {"file": file, "position": 0, "count": len(texts), "dimensions": 1, "vectors": b"\0\0" * len(texts)}
        connection.execute(sa.insert(chunk_vectors), [vectors])
