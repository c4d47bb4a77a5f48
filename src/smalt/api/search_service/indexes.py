"""A project's vector stores as indexes: which name means which, and what an index's definition says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from smalt.api.search_service.fields import CONTENT_FIELD, KEY_FIELD, VECTOR_FIELD, Field, fields_of
from smalt.core.clock import now
from smalt.core.errors import NotFound
from smalt.retrieval.closeness import read_dimensions
from smalt.retrieval.search import Search
from smalt.retrieval.store_files import StoreFile
from smalt.store.database import Database
from smalt.store.tables import vector_stores
from smalt.store.vector_stores import VectorStore

CONFIGURATION = "default"
"""The name of an index's one semantic configuration, vector profile, algorithm and vectorizer."""


@dataclass(frozen=True, slots=True)
class Index:
    """A vector store as an index: its fields, and the files whose chunks are its documents."""

    name: str
    store: VectorStore
    files: Sequence[StoreFile]
    fields: Mapping[str, Field]

    @property
    def documents(self) -> int:
        """How many documents it has."""
        return sum(file.chunks for file in self.files)


class Indexes:
    """The indexes of one project."""

    def __init__(self, database: Database, search: Search, project: str) -> None:
        self._database = database
        self._search = search
        self._project = project

    async def names(self) -> dict[str, str]:
        """Every index's name with the id of its store: the store's own name, or its id where another has the name."""
        return await self._database.read(lambda connection: _names(connection, self._project))

    async def find(self, name: str) -> Index:
        """The index of this name, which is a vector store's id or name; of several stores the newest has the name."""
        vector_store_id = await self._database.read(lambda connection: _find(connection, self._project, name))
        store = await self._search.open(self._project, vector_store_id)
        files = await self._search.files.of(store)
        return Index(name, store, files, fields_of(file.attributes for file in files))

    async def dimensions(self, index: Index) -> int:
        """How long its vectors are; asks the model while no file has any."""
        sequences = [file.sequence for file in index.files if file.chunks][:1]
        known = await self._database.read(lambda connection: read_dimensions(connection, sequences))
        return known or len((await self._search.embed(index.store, ["dimensions"]))[0]) // 4

    async def definition(self, index: Index, address: str) -> dict[str, Any]:
        """What `GET /indexes('name')` says; `address` is this server's, as the client calls it."""
        dimensions = await self.dimensions(index)
        return {
            "@odata.etag": f'"0x{index.store.sequence:08X}{index.store.version:08X}"',
            "name": index.name,
            "description": index.store.description,
            "fields": [_field(field, dimensions) for field in index.fields.values()],
            "scoringProfiles": [],
            "corsOptions": None,
            "suggesters": [],
            "analyzers": [],
            "tokenizers": [],
            "tokenFilters": [],
            "charFilters": [],
            "similarity": {"@odata.type": "#Microsoft.Azure.Search.BM25Similarity"},
            "semantic": _semantic(),
            "vectorSearch": _vector_search(index, address),
        }


def unknown_index(name: str) -> NotFound:
    """The answer to a name that no store has."""
    return NotFound(
        f"The index '{name}' for service 'smalt' was not found. Use the name or the id of a vector store that has not "
        "expired; GET /indexes lists them.",
        param="index",
    )


def _live(project: str) -> sa.Select[Any, Any]:
    columns = vector_stores.c
    is_live = sa.or_(columns.expires_at.is_(None), columns.expires_at > now())
    return sa.select(columns.id, columns.name).where(
        columns.project == project, columns.deleted_at.is_(None), columns.is_expired.is_(False), is_live
    )


def _names(connection: sa.Connection, project: str) -> dict[str, str]:
    names: dict[str, str] = {}
    for row in connection.execute(_live(project).order_by(vector_stores.c.sequence.desc())):
        names[row.name if row.name and row.name not in names else row.id] = row.id
    return names


def _find(connection: sa.Connection, project: str, name: str) -> str:
    columns = vector_stores.c
    fits = sa.or_(columns.id == name, columns.name == name)
    # A store's own id comes before another store's name.
    query = _live(project).where(fits).order_by((columns.id == name).desc(), columns.sequence.desc()).limit(1)
    found = connection.execute(query).first()
    if found is None:
        raise unknown_index(name)
    return found.id


def _field(field: Field, dimensions: int) -> dict[str, Any]:
    is_vector = field.name == VECTOR_FIELD
    described: dict[str, Any] = {
        "name": field.name,
        "type": field.type,
        "key": field.name == KEY_FIELD,
        "retrievable": field.is_retrievable,
        "stored": True,
        "searchable": field.is_searchable,
        "filterable": field.is_filterable,
        "sortable": field.is_sortable,
        "facetable": False,
        "synonymMaps": [],
    }
    if is_vector:
        return described | {"dimensions": dimensions, "vectorSearchProfile": CONFIGURATION}
    return described | ({"analyzer": "en.lucene"} if field.is_searchable else {})


def _semantic() -> dict[str, Any]:
    fields = {
        "titleField": {"fieldName": "title"},
        "prioritizedContentFields": [{"fieldName": CONTENT_FIELD}],
        "prioritizedKeywordsFields": [],
    }
    configuration = {"name": CONFIGURATION, "prioritizedFields": fields}
    return {"defaultConfiguration": CONFIGURATION, "configurations": [configuration]}


def _vector_search(index: Index, address: str) -> dict[str, Any]:
    model = index.store.embedding_model
    algorithm = {"name": CONFIGURATION, "kind": "exhaustiveKnn", "exhaustiveKnnParameters": {"metric": "cosine"}}
    served = {"resourceUri": address, "deploymentId": model, "modelName": model}
    vectorizer = {"name": CONFIGURATION, "kind": "azureOpenAI", "azureOpenAIParameters": served}
    profile = {"name": CONFIGURATION, "algorithm": CONFIGURATION, "vectorizer": CONFIGURATION}
    return {"algorithms": [algorithm], "profiles": [profile], "vectorizers": [vectorizer], "compressions": []}
