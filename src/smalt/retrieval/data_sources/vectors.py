"""Makes the vectors of queries, by the embedding dependency that a request names."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlunsplit

import aiohttp

from smalt.engines.protocols import EmbeddingEngine
from smalt.models import Models
from smalt.retrieval.data_sources.failures import DataSourceFailed, wrong
from smalt.retrieval.data_sources.hosts import Hosts
from smalt.retrieval.data_sources.protocols import PARAMETERS
from smalt.retrieval.data_sources.service import Service
from smalt.schemas.on_your_data import (
    AzureChatDataSourceApiKeyAuthenticationOptions,
    AzureChatDataSourceDeploymentNameVectorizationSource,
    AzureChatDataSourceEndpointVectorizationSource,
    AzureChatDataSourceVectorizationSource,
)

DEPENDENCY = "embedding_dependency"
API_VERSION = "2024-10-21"


@dataclass(frozen=True, slots=True)
class Vectors:
    """The vectors of some texts, and what they cost on this server."""

    rows: list[list[float]]
    model: str | None = None
    prompt_tokens: int = 0


async def embedded(
    dependency: AzureChatDataSourceVectorizationSource,
    texts: Sequence[str],
    *,
    models: Models,
    session: aiohttp.ClientSession,
    hosts: Hosts,
) -> Vectors:
    """The vectors of the texts; raises for a dependency whose vectors are not made before the search."""
    if isinstance(dependency, AzureChatDataSourceDeploymentNameVectorizationSource):
        return await _by_deployment(dependency, texts, models)
    if isinstance(dependency, AzureChatDataSourceEndpointVectorizationSource):
        return await _by_endpoint(dependency, texts, session, hosts)
    raise wrong(f"{DEPENDENCY}.type", f"Vectors of the type '{dependency.type}' cannot be made for this data source.")


async def _by_deployment(
    dependency: AzureChatDataSourceDeploymentNameVectorizationSource, texts: Sequence[str], models: Models
) -> Vectors:
    async with models.lease(dependency.deployment_name, EmbeddingEngine) as engine:
        made = await engine.embed(texts, dependency.dimensions)
    numbers = array("f", made.rows)
    rows = [list(numbers[start : start + made.dimensions]) for start in range(0, len(numbers), made.dimensions)]
    return Vectors(rows, made.model or models.find(dependency.deployment_name).model, made.prompt_tokens)


async def _by_endpoint(
    dependency: AzureChatDataSourceEndpointVectorizationSource,
    texts: Sequence[str],
    session: aiohttp.ClientSession,
    hosts: Hosts,
) -> Vectors:
    parts = hosts.url(dependency.endpoint, f"{DEPENDENCY}.endpoint")
    if "api-version" in parts.query:
        raise wrong(
            f"{DEPENDENCY}.endpoint",
            f"Invalid '{PARAMETERS}.{DEPENDENCY}.endpoint': leave out the query parameter api-version.",
        )
    body: dict[str, Any] = {"input": list(texts)}
    if dependency.dimensions is not None:
        body["dimensions"] = dependency.dimensions
    query = f"api-version={API_VERSION}" if "/openai/deployments/" in parts.path else parts.query
    headers, secret = _signed(dependency)
    service = Service(session, "embeddings", "The embeddings endpoint", headers, (secret,), f"{DEPENDENCY}.endpoint")
    answer = await service.post(urlunsplit(parts._replace(query=query)), body)
    return Vectors(_rows(answer, len(texts)))


def _signed(dependency: AzureChatDataSourceEndpointVectorizationSource) -> tuple[dict[str, str], str]:
    authentication = dependency.authentication
    if isinstance(authentication, AzureChatDataSourceApiKeyAuthenticationOptions):
        return {"api-key": authentication.key}, authentication.key
    return {"Authorization": f"Bearer {authentication.access_token}"}, authentication.access_token


def _rows(answer: dict[str, Any], count: int) -> list[list[float]]:
    try:
        found = sorted(cast("list[dict[str, Any]]", answer["data"]), key=lambda one: one["index"])
        rows = [[float(number) for number in one["embedding"]] for one in found]
    except (KeyError, TypeError, ValueError):
        rows = []
    if len(rows) != count:
        raise DataSourceFailed(
            "The embeddings endpoint did not answer with one vector for each query.",
            param=f"{PARAMETERS}.{DEPENDENCY}.endpoint",
        )
    return rows
