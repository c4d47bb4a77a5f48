"""Searches a collection of MongoDB Atlas by vectors."""

from typing import TYPE_CHECKING, Any, Final

from smalt.retrieval.data_sources import mongo
from smalt.retrieval.data_sources.failures import wrong
from smalt.retrieval.data_sources.hosts import Hosts
from smalt.retrieval.data_sources.mapping import is_complete, mapped
from smalt.retrieval.data_sources.protocols import Document, Query
from smalt.schemas.on_your_data import MongoDBParameters

if TYPE_CHECKING:
    from pymongo import AsyncMongoClient

CANDIDATES_PER_HIT: Final = 20
MOST_CANDIDATES: Final = 10_000


class MongoDB:
    """One vector index of a collection; `endpoint` is the cluster's host, or its address with a scheme."""

    def __init__(self, parameters: MongoDBParameters, client: "AsyncMongoClient[dict[str, Any]]") -> None:
        self._parameters = parameters
        self._client = client
        self._fields = mapped(parameters.fields_mapping, ())
        self._secrets = (parameters.authentication.password,)

    @classmethod
    def open(
        cls, parameters: MongoDBParameters, *, hosts: Hosts, connect_seconds: float = mongo.CONNECT_SECONDS
    ) -> "MongoDB":
        """Check the parameters and make a client."""
        if not is_complete(parameters.fields_mapping, needs_vectors=True):
            raise wrong("fields_mapping", "MongoDB needs content_fields and vector_fields.")
        endpoint = parameters.endpoint
        uri = endpoint if endpoint.startswith(mongo.SCHEMES) else f"mongodb+srv://{endpoint}"
        if "@" in uri:
            raise wrong("endpoint", "Send user name and password as authentication, not in the endpoint.")
        mongo.check_address(uri, hosts, "endpoint")
        authentication = parameters.authentication
        client = mongo.open_client(
            uri,
            "endpoint",
            username=authentication.username,
            password=authentication.password,
            appname=parameters.app_name,
            connect_seconds=connect_seconds,
        )
        return cls(parameters, client)

    @property
    def needs_vectors(self) -> bool:
        """Atlas is searched by vectors only."""
        return True

    async def search(self, query: Query, limit: int) -> list[Document]:
        """Run `$vectorSearch` over each vector field."""
        found: list[Document] = []
        for path in self._fields.vectors:
            records = await mongo.aggregated(
                self._client,
                (self._parameters.database_name, self._parameters.collection_name),
                self._pipeline(query, path, limit),
                secrets=self._secrets,
                parameter="endpoint",
            )
            # Atlas scores a cosine as (1 + cosine) / 2.
            found += [mongo.document(one, self._fields, similarity=2 * one[mongo.SCORE] - 1) for one in records]
        return mongo.best(found, limit)

    async def close(self) -> None:
        """Close the client."""
        await self._client.close()

    def _pipeline(self, query: Query, path: str, limit: int) -> list[dict[str, Any]]:
        search = {
            "index": self._parameters.index_name,
            "path": path,
            "queryVector": list(query.vector or ()),
            "numCandidates": min(MOST_CANDIDATES, limit * CANDIDATES_PER_HIT),
            "limit": limit,
        }
        left_out = dict.fromkeys(self._fields.vectors, 0)
        score = {"$addFields": {mongo.SCORE: {"$meta": "vectorSearchScore"}}}
        return [{"$vectorSearch": search}, score, {"$project": left_out}]
