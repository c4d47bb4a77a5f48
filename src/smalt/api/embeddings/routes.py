"""Embeddings."""

from collections.abc import Sequence

from fastapi import Response

from smalt.api.dependencies import ModelsDep
from smalt.api.embeddings.vectors import answer
from smalt.engines.protocols import EmbeddingEngine
from smalt.http.answers import Json
from smalt.http.dependencies import CurrentCall
from smalt.http.routing import Router
from smalt.schemas.embeddings import AzureCreateEmbeddingRequest, CreateEmbeddingResponse

router = Router(tags=["embeddings"])


@router.post(
    "/embeddings",
    operation_id="createEmbedding",
    response_model=CreateEmbeddingResponse,
    deployment=True,
    metered=True,
)
async def create_embedding(body: AzureCreateEmbeddingRequest, call: CurrentCall, models: ModelsDep) -> Response:
    """Turn each input into a vector of unit length."""
    model = models.find(body.model).model
    async with models.lease(body.model, EmbeddingEngine) as engine:
        vectors = await engine.embed(_inputs(body), body.dimensions)
    call.spend(vectors.model or model, prompt_tokens=vectors.prompt_tokens, user=body.user)
    return Json(answer(vectors, model=model, encoding=body.encoding_format or "float"))


def _inputs(body: AzureCreateEmbeddingRequest) -> Sequence[str | Sequence[int]]:
    """A text alone, and token ids alone, are one input."""
    given = body.input
    if isinstance(given, str):
        return [given]
    if isinstance(given[0], int):
        return [given]  # pyright: ignore[reportReturnType] - a list that begins with a token id holds nothing else
    return given  # pyright: ignore[reportReturnType] - texts, or lists of token ids
