"""Searches an index of Azure AI Search, or of any server that answers like it, this one included."""

from collections.abc import Mapping
from typing import Any, Final, cast
from urllib.parse import quote, urlunsplit

import aiohttp

from smalt.retrieval.data_sources.failures import DataSourceFailed, missing, wrong
from smalt.retrieval.data_sources.hosts import Hosts
from smalt.retrieval.data_sources.identity import identity_token
from smalt.retrieval.data_sources.mapping import Field, Fields, identity, is_complete, mapped, of_record, read
from smalt.retrieval.data_sources.protocols import PARAMETERS, Document, Measure, Query
from smalt.retrieval.data_sources.service import Service, Unwilling
from smalt.schemas.on_your_data import (
    AzureChatDataSourceAccessTokenAuthenticationOptions,
    AzureChatDataSourceApiKeyAuthenticationOptions,
    AzureChatDataSourceIntegratedVectorizationSource,
    AzureChatDataSourceUserAssignedManagedIdentityAuthenticationOptions,
    AzureSearchParameters,
)

API_VERSION: Final = "2024-07-01"
SEMANTIC: Final = frozenset({"semantic", "vector_semantic_hybrid"})
VECTOR: Final = frozenset({"vector", "vector_simple_hybrid", "vector_semantic_hybrid"})
FORBIDDEN: Final = frozenset({401, 403})

Json = dict[str, Any]


class AzureSearch:
    """One index of Azure AI Search."""

    def __init__(self, parameters: AzureSearchParameters, service: Service, base: str) -> None:
        self._parameters = parameters
        self._service = service
        self._base = base
        self._query_type = parameters.query_type or "simple"
        self._fields: Fields | None = None
        self._is_integrated = isinstance(
            parameters.embedding_dependency, AzureChatDataSourceIntegratedVectorizationSource
        )

    @classmethod
    async def open(
        cls, parameters: AzureSearchParameters, *, session: aiohttp.ClientSession, hosts: Hosts
    ) -> "AzureSearch":
        """Check the parameters and sign in."""
        parts = hosts.url(parameters.endpoint, "endpoint")
        _check(parameters)
        authentication = parameters.authentication
        if isinstance(authentication, AzureChatDataSourceApiKeyAuthenticationOptions):
            secret, header = authentication.key, "api-key"
        elif isinstance(authentication, AzureChatDataSourceAccessTokenAuthenticationOptions):
            secret, header = authentication.access_token, "Authorization"
        else:
            hosts.check_identity(parts, "endpoint")
            is_user = isinstance(authentication, AzureChatDataSourceUserAssignedManagedIdentityAuthenticationOptions)
            secret = await identity_token(authentication.managed_identity_resource_id if is_user else None)
            header = "Authorization"
        headers = {header: f"Bearer {secret}" if header == "Authorization" else secret}
        service = Service(session, "AzureCognitiveSearch", "Azure Search", headers, (secret,))
        base = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
        return cls(parameters, service, f"{base}/indexes('{quote(parameters.index_name, safe='')}')")

    @property
    def needs_vectors(self) -> bool:
        """Whether queries must come with vectors: not when the index makes them itself."""
        return self._query_type in VECTOR and not self._is_integrated

    async def search(self, query: Query, limit: int) -> list[Document]:
        """Post the query in the form that its type needs."""
        fields = await self._mapped()
        answer = await self._service.post(
            f"{self._base}/docs/search.post.search?api-version={API_VERSION}", self._body(query, fields, limit)
        )
        records = answer.get("value")
        if not isinstance(records, list):
            raise DataSourceFailed("Azure Search answered without a list of documents.", param=f"{PARAMETERS}.endpoint")
        return [self._document(record, fields) for record in cast("list[Json]", records)]

    async def close(self) -> None:
        """Nothing of its own to release."""

    async def _mapped(self) -> Fields | None:
        """The fields to read, asked of the index; None when the key may not ask, and records are to tell."""
        if self._fields is not None:
            return self._fields
        mapping, needs_vectors = self._parameters.fields_mapping, self._query_type in VECTOR
        try:
            definition = await self._service.get(f"{self._base}?api-version={API_VERSION}")
        except Unwilling as error:
            # A query key may search and not read the definition.
            is_enough = is_complete(mapping, needs_vectors=True) or not needs_vectors
            if error.service_status not in FORBIDDEN or not is_enough:
                raise
            return None
        self._fields = mapped(mapping, _fields(definition))
        if needs_vectors and not self._fields.vectors:
            raise missing("fields_mapping.vector_fields", "The index has no vector field that could be searched.")
        return self._fields

    def _body(self, query: Query, fields: Fields | None, limit: int) -> Json:
        parameters, kind = self._parameters, self._query_type
        body: Json = {"top": limit}
        if fields is not None:
            body["select"] = ",".join(fields.read)
        if parameters.filter:
            body["filter"] = parameters.filter
        if kind != "vector":
            body["search"] = query.text
            body["queryType"] = "semantic" if kind in SEMANTIC else "simple"
        if kind in SEMANTIC:
            body["semanticConfiguration"] = parameters.semantic_configuration
        if kind in VECTOR:
            body["vectorQueries"] = self._vector_queries(query, fields or mapped(parameters.fields_mapping, ()), limit)
        return body

    def _vector_queries(self, query: Query, fields: Fields, limit: int) -> list[Json]:
        mapping = self._parameters.fields_mapping
        images = (mapping.image_vector_fields if mapping else None) or ()
        asked: Json = {"fields": ",".join([*fields.vectors, *images]), "k": limit}
        if self._is_integrated:
            return [{"kind": "text", "text": query.text, **asked}]
        return [{"kind": "vector", "vector": list(query.vector or ()), **asked}]

    def _document(self, record: Mapping[str, Any], fields: Fields | None) -> Document:
        parts = read(record, fields or mapped(self._parameters.fields_mapping, of_record(record)))
        score = float(record.get("@search.score") or 0.0)
        rerank = record.get("@search.rerankerScore")
        return Document(
            key=identity(record, parts),
            content=parts.content,
            score=score,
            measure=_measure(self._query_type),
            title=parts.title,
            url=parts.url,
            filepath=parts.filepath,
            chunk_id=parts.chunk_id,
            similarity=2 - 1 / score if self._query_type == "vector" and score > 0 else None,
            rerank_score=None if rerank is None else float(rerank),
        )


def _check(parameters: AzureSearchParameters) -> None:
    kind = parameters.query_type or "simple"
    if kind in SEMANTIC and not parameters.semantic_configuration:
        raise missing("semantic_configuration", f"It is needed when query_type is '{kind}'.")
    if kind in VECTOR and parameters.embedding_dependency is None:
        raise missing("embedding_dependency", f"It is needed when query_type is '{kind}'.")
    images = parameters.fields_mapping and parameters.fields_mapping.image_vector_fields
    is_integrated = isinstance(parameters.embedding_dependency, AzureChatDataSourceIntegratedVectorizationSource)
    if images and kind in VECTOR and not is_integrated:
        raise wrong(
            "fields_mapping.image_vector_fields",
            "Vectors of images need an embedding_dependency of the type 'integrated': only the index knows the model "
            "that puts texts and images into one space.",
        )


def _fields(definition: Json) -> list[Field]:
    found: list[Json] = definition.get("fields") or []
    return [
        Field(
            field["name"],
            is_text=field.get("type") == "Edm.String" and field.get("retrievable", True) and not field.get("hidden"),
            is_vector=bool(field.get("dimensions")),
            is_key=bool(field.get("key")),
        )
        for field in found
    ]


def _measure(query_type: str) -> Measure:
    return {"vector": "similarity", "simple": "words", "semantic": "words"}.get(query_type, "fused")  # pyright: ignore[reportReturnType] - words of Measure
