"""Searches a container of Azure Cosmos DB for MongoDB (vCore) by vectors."""

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from smalt.retrieval.data_sources import mongo
from smalt.retrieval.data_sources.failures import wrong
from smalt.retrieval.data_sources.hosts import Hosts
from smalt.retrieval.data_sources.mapping import is_complete, mapped
from smalt.retrieval.data_sources.protocols import Document, Query
from smalt.schemas.on_your_data import AzureCosmosDBParameters

if TYPE_CHECKING:
    from pymongo import AsyncMongoClient

CONNECTION = "authentication.connection_string"


class AzureCosmosDB:
    """One vector index of a container."""

    def __init__(self, parameters: AzureCosmosDBParameters, client: "AsyncMongoClient[dict[str, Any]]") -> None:
        self._parameters = parameters
        self._client = client
        self._fields = mapped(parameters.fields_mapping, ())
        self._secrets = _secrets(parameters.authentication.connection_string)
        self._is_checked = False

    @classmethod
    def open(cls, parameters: AzureCosmosDBParameters, *, hosts: Hosts) -> "AzureCosmosDB":
        """Check the parameters and make a client."""
        if not is_complete(parameters.fields_mapping, needs_vectors=True):
            raise wrong("fields_mapping", "Azure Cosmos DB needs content_fields and vector_fields.")
        if parameters.embedding_dependency.type not in {"deployment_name", "endpoint"}:
            raise wrong("embedding_dependency.type", "Azure Cosmos DB takes deployment_name or endpoint.")
        uri = parameters.authentication.connection_string
        mongo.check_address(uri, hosts, CONNECTION)
        return cls(parameters, mongo.open_client(uri, CONNECTION))

    @property
    def needs_vectors(self) -> bool:
        """The container is searched by vectors only."""
        return True

    async def search(self, query: Query, limit: int) -> list[Document]:
        """Run `$search` with `cosmosSearch` over each vector field."""
        await self._check_index()
        found: list[Document] = []
        for path in self._fields.vectors:
            pipeline = self._pipeline(query, path, limit)
            records = await mongo.aggregated(
                self._client, self._names, pipeline, secrets=self._secrets, parameter=CONNECTION
            )
            found += [mongo.document(one, self._fields, similarity=one[mongo.SCORE]) for one in records]
        return mongo.best(found, limit)

    async def close(self) -> None:
        """Close the client."""
        await self._client.close()

    async def _check_index(self) -> None:
        """Cosmos DB chooses the index by its field, so that the named one is there is for us to see."""
        if self._is_checked:
            return
        names = await mongo.index_names(self._client, self._names, secrets=self._secrets, parameter=CONNECTION)
        if self._parameters.index_name not in names:
            raise wrong(
                "index_name",
                f"The container '{self._parameters.container_name}' has no index '{self._parameters.index_name}'. "
                f"It has: {', '.join(names) or 'none'}.",
            )
        self._is_checked = True

    @property
    def _names(self) -> tuple[str, str]:
        return self._parameters.database_name, self._parameters.container_name

    def _pipeline(self, query: Query, path: str, limit: int) -> list[dict[str, Any]]:
        search = {"vector": list(query.vector or ()), "path": path, "k": limit}
        left_out = dict.fromkeys(self._fields.vectors, 0)
        score = {"$addFields": {mongo.SCORE: {"$meta": "searchScore"}}}
        return [{"$search": {"cosmosSearch": search, "returnStoredSource": True}}, score, {"$project": left_out}]


def _secrets(uri: str) -> tuple[str, ...]:
    """The connection string, and its password as written and as meant."""
    user = uri.partition("://")[2].partition("/")[0].rpartition("@")[0]
    password = user.partition(":")[2]
    return tuple(filter(None, (uri, password, unquote_plus(password))))
