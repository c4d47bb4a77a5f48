"""The models that a caller may ask for.

The list has every name that a request may carry as its `model`: the deployments, then the aliases. Many clients offer
or accept only what is listed. An answer's own `model` says which model it was.
"""

from typing import Any

from fastapi import Response

from smalt.api.dependencies import ModelsDep
from smalt.api.models.descriptions import classic_model_json, model_json
from smalt.core.errors import ModelNotFound, PermissionDenied
from smalt.engines.protocols import Deployment
from smalt.http.answers import Json
from smalt.http.call import Mount
from smalt.http.dependencies import CurrentCall
from smalt.http.routing import Router
from smalt.models import Models
from smalt.schemas.models import DeleteModelResponse, ListModelsResponse, Model

router = Router(tags=["models"])

MODERN: frozenset[Mount] = frozenset({"azure_v1", "openai_v1"})
CLASSIC: frozenset[Mount] = frozenset({"azure_classic"})


@router.get("/models", operation_id="listModels", response_model=ListModelsResponse)
async def list_models(call: CurrentCall, models: ModelsDep) -> Response:
    """List the names that a request may ask for."""
    describe = classic_model_json if call.mount in CLASSIC else model_json
    names = [deployment.name for deployment in models.deployments()]
    names += [alias for alias in models.aliases() if alias not in names]
    return Json({"object": "list", "data": [describe(name, models.find(name)) for name in names]})


@router.get("/models/{model:path}", operation_id="retrieveModel", response_model=Model)
async def retrieve_model(model: str, call: CurrentCall, models: ModelsDep) -> Response:
    """Describe one model."""
    describe = classic_model_json if call.mount in CLASSIC else model_json
    return Json(describe(model, _found(models, model)))


@router.delete("/models/{model:path}", operation_id="deleteModel", response_model=DeleteModelResponse, mounts=MODERN)
async def delete_model(model: str, models: ModelsDep) -> dict[str, Any]:
    """Delete a tuned model; the models of the settings are not a caller's to delete."""
    _found(models, model)
    raise PermissionDenied(
        f"The model '{model}' is a base model and cannot be deleted by a request. "
        "The operator can take it out of the settings.",
        param="model",
    )


def _found(models: Models, name: str) -> Deployment:
    """The deployment that a path names; a fault then names the path's parameter."""
    try:
        return models.find(name)
    except ModelNotFound as error:
        raise ModelNotFound(error.message, param="model") from None
