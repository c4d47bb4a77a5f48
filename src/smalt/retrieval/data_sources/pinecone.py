"""Searches an index of Pinecone by vectors."""

from typing import Any, Final, cast
from urllib.parse import quote, urlunsplit

import aiohttp

from smalt.retrieval.data_sources.failures import DataSourceFailed, wrong
from smalt.retrieval.data_sources.hosts import Hosts
from smalt.retrieval.data_sources.mapping import Fields, mapped, read
from smalt.retrieval.data_sources.protocols import PARAMETERS, Document, Query
from smalt.retrieval.data_sources.service import Service
from smalt.schemas.on_your_data import PineconeParameters

CONTROL_PLANE: Final = "https://api.pinecone.io"
API_VERSION: Final = "2025-01"

Json = dict[str, Any]


class Pinecone:
    """One index of Pinecone; `environment` names where it lives, or is the URL of the index itself."""

    def __init__(self, parameters: PineconeParameters, service: Service, hosts: Hosts, control_plane: str) -> None:
        self._parameters = parameters
        self._service = service
        self._hosts = hosts
        self._control_plane = control_plane
        self._fields: Fields = mapped(parameters.fields_mapping, ())
        self._base: str | None = None

    @classmethod
    def open(
        cls,
        parameters: PineconeParameters,
        *,
        session: aiohttp.ClientSession,
        hosts: Hosts,
        control_plane: str = CONTROL_PLANE,
    ) -> "Pinecone":
        """Check the parameters."""
        if not parameters.fields_mapping.content_fields:
            raise wrong("fields_mapping.content_fields", "Name the metadata fields of Pinecone that hold the content.")
        if parameters.embedding_dependency.type not in {"deployment_name", "endpoint"}:
            raise wrong("embedding_dependency.type", "Pinecone takes deployment_name or endpoint.")
        key = parameters.authentication.key
        headers = {"Api-Key": key, "X-Pinecone-API-Version": API_VERSION}
        service = Service(session, "Pinecone", "Pinecone", headers, (key,), "environment")
        return cls(parameters, service, hosts, control_plane)

    @property
    def needs_vectors(self) -> bool:
        """Pinecone is searched by vectors only."""
        return True

    async def search(self, query: Query, limit: int) -> list[Document]:
        """Find the nearest vectors and what their metadata says."""
        if self._base is None:
            self._base = await self._found_base()
        body = {"vector": list(query.vector or ()), "topK": limit, "includeMetadata": True, "includeValues": False}
        answer = await self._service.post(f"{self._base}/query", body)
        matches = answer.get("matches")
        if not isinstance(matches, list):
            raise DataSourceFailed("Pinecone answered without matches.", param=f"{PARAMETERS}.environment")
        return [self._document(match) for match in cast("list[Json]", matches)]

    async def close(self) -> None:
        """Nothing of its own to release."""

    async def _found_base(self) -> str:
        """Where the index listens: at the URL in `environment`, or where Pinecone says."""
        environment = self._parameters.environment
        if "://" in environment:
            parts = self._hosts.url(environment, "environment")
            return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
        self._hosts.url(self._control_plane, "environment")
        name = quote(self._parameters.index_name, safe="")
        described = await self._service.get(f"{self._control_plane}/indexes/{name}")
        self._check_environment(described)
        base = str(described.get("host", ""))
        base = base if "://" in base else f"https://{base}"
        self._hosts.url(base, "environment")
        return base.rstrip("/")

    def _check_environment(self, described: Json) -> None:
        spec: Json = described.get("spec") or {}
        places = {cast("Json", part).get(word) for part in spec.values() for word in ("environment", "region")}
        if self._parameters.environment not in places:
            known = ", ".join(sorted(str(place) for place in places if place))
            raise wrong(
                "environment", f"The index '{self._parameters.index_name}' lives in {known or 'no place known'}."
            )

    def _document(self, match: Json) -> Document:
        parts = read(match.get("metadata") or {}, self._fields)
        score = float(match.get("score") or 0.0)
        return Document(
            key=str(match["id"]),
            content=parts.content,
            score=score,
            measure="similarity",
            title=parts.title,
            url=parts.url,
            filepath=parts.filepath,
            chunk_id=parts.chunk_id,
            similarity=score,
        )
