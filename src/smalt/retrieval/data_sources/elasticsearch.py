"""Searches an index of Elasticsearch, by words or by vectors."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final, cast
from urllib.parse import quote, urlunsplit

import aiohttp

from smalt.retrieval.data_sources.failures import DataSourceFailed, missing, wrong
from smalt.retrieval.data_sources.hosts import Hosts
from smalt.retrieval.data_sources.mapping import Field, Fields, is_complete, mapped, read
from smalt.retrieval.data_sources.protocols import PARAMETERS, Document, Query
from smalt.retrieval.data_sources.service import Service
from smalt.schemas.on_your_data import (
    AzureChatDataSourceIntegratedVectorizationSource,
    AzureChatDataSourceKeyAndKeyIdAuthenticationOptions,
    AzureChatDataSourceModelIdVectorizationSource,
    ElasticsearchParameters,
)

CANDIDATES_PER_HIT: Final = 10
MOST_CANDIDATES: Final = 10_000

Json = dict[str, Any]


class Elasticsearch:
    """One index of Elasticsearch."""

    def __init__(self, parameters: ElasticsearchParameters, service: Service, base: str) -> None:
        self._parameters = parameters
        self._service = service
        self._base = base
        self._is_vector = parameters.query_type == "vector"
        self._fields: Fields | None = None

    @classmethod
    def open(
        cls, parameters: ElasticsearchParameters, *, session: aiohttp.ClientSession, hosts: Hosts
    ) -> "Elasticsearch":
        """Check the parameters."""
        parts = hosts.url(parameters.endpoint, "endpoint")
        if parameters.query_type == "vector" and parameters.embedding_dependency is None:
            raise missing("embedding_dependency", "It is needed when query_type is 'vector'.")
        if isinstance(parameters.embedding_dependency, AzureChatDataSourceIntegratedVectorizationSource):
            raise wrong("embedding_dependency.type", "Elasticsearch takes deployment_name, endpoint or model_id.")
        secret = _secret(parameters)
        service = Service(session, "Elasticsearch", "Elasticsearch", {"Authorization": f"ApiKey {secret}"}, (secret,))
        base = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
        return cls(parameters, service, f"{base}/{quote(parameters.index_name, safe='')}")

    @property
    def needs_vectors(self) -> bool:
        """Whether queries must come with vectors: not when a model inside Elasticsearch makes them."""
        return self._is_vector and self._model_id is None

    @property
    def _model_id(self) -> str | None:
        dependency = self._parameters.embedding_dependency
        return dependency.model_id if isinstance(dependency, AzureChatDataSourceModelIdVectorizationSource) else None

    async def search(self, query: Query, limit: int) -> list[Document]:
        """Match the words in the content and title, or find the nearest vectors."""
        fields = await self._mapped()
        body = self._nearest(query, fields, limit) if self._is_vector else _match(query, fields)
        answer = await self._service.post(f"{self._base}/_search", {**body, "size": limit, "_source": True})
        try:
            hits: list[Json] = answer["hits"]["hits"]
            return [self._document(hit, fields) for hit in hits]
        except (KeyError, TypeError):
            raise DataSourceFailed("Elasticsearch answered without hits.", param=f"{PARAMETERS}.endpoint") from None

    async def close(self) -> None:
        """Nothing of its own to release."""

    async def _mapped(self) -> Fields:
        mapping = self._parameters.fields_mapping
        if self._fields is None:
            asks = not is_complete(mapping, needs_vectors=self._is_vector)
            known = _known(await self._service.get(f"{self._base}/_mapping")) if asks else []
            self._fields = mapped(mapping, known)
        if self._is_vector and not self._fields.vectors:
            raise missing("fields_mapping.vector_fields", "The index has no vector field that could be searched.")
        return self._fields

    def _nearest(self, query: Query, fields: Fields, limit: int) -> Json:
        if self._model_id is None:
            asked: Json = {"query_vector": list(query.vector or ())}
        else:
            model = {"model_id": self._model_id, "model_text": query.text}
            asked = {"query_vector_builder": {"text_embedding": model}}
        candidates = min(MOST_CANDIDATES, limit * CANDIDATES_PER_HIT)
        searches = [{"field": name, "k": limit, "num_candidates": candidates, **asked} for name in fields.vectors]
        return {"knn": searches[0] if len(searches) == 1 else searches}

    def _document(self, hit: Json, fields: Fields) -> Document:
        parts = read(cast("Mapping[str, Any]", hit.get("_source") or {}), fields)
        score = float(hit.get("_score") or 0.0)
        return Document(
            key=f"{hit['_index']}/{hit['_id']}",
            content=parts.content,
            score=score,
            measure="similarity" if self._is_vector else "words",
            title=parts.title,
            url=parts.url,
            filepath=parts.filepath,
            chunk_id=parts.chunk_id,
            # Elasticsearch scores a cosine as (1 + cosine) / 2; the nearness in several fields adds up.
            similarity=2 * score - 1 if self._is_vector and len(fields.vectors) == 1 else None,
        )


def _match(query: Query, fields: Fields) -> Json:
    names = [*fields.content, *([fields.title] if fields.title else [])]
    return {"query": {"multi_match": {"query": query.text, "fields": names or ["*"], "lenient": True}}}


def _secret(parameters: ElasticsearchParameters) -> str:
    authentication = parameters.authentication
    if isinstance(authentication, AzureChatDataSourceKeyAndKeyIdAuthenticationOptions):
        return b64encode(f"{authentication.key_id}:{authentication.key}".encode()).decode()
    return authentication.encoded_api_key


def _known(answer: Json) -> list[Field]:
    """The fields of the index, or of all behind an alias."""
    found: list[Field] = []
    for index in answer.values():
        mappings: Json = index.get("mappings") or {}
        found += _properties(mappings.get("properties") or {}, "")
    return list({field.name: field for field in found}.values())


def _properties(properties: Json, prefix: str) -> list[Field]:
    found: list[Field] = []
    for name, described in properties.items():
        kind = described.get("type")
        if "properties" in described:
            found += _properties(described["properties"], f"{prefix}{name}.")
        else:
            is_text = kind in {"text", "keyword", "semantic_text", "match_only_text", "wildcard"}
            found.append(Field(f"{prefix}{name}", is_text=is_text, is_vector=kind == "dense_vector"))
    return found
