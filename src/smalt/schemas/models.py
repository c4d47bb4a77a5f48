"""The models that a caller may ask for."""

from typing import Literal

from typing_extensions import TypeAliasType

from smalt.schemas.wire import Wire

AzureAIFoundryModelsApiVersion = TypeAliasType("AzureAIFoundryModelsApiVersion", Literal["v1", "preview"])


class Model(Wire):
    """A model that answers under this name."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    shutdown_date: str | None = None


class ListModelsResponse(Wire):
    """Every model that the caller may ask for."""

    object: Literal["list"]
    data: list[Model]


class DeleteModelResponse(Wire):
    """Says that a tuned model is gone."""

    id: str
    object: str
    deleted: bool


class ClassicModelCapabilities(Wire):
    """What a model can be used for, in the words of the classic paths."""

    fine_tune: bool
    inference: bool
    completion: bool
    chat_completion: bool
    embeddings: bool


class ClassicModelDeprecation(Wire):
    """When a model stops to be available."""

    fine_tune: int | None = None
    inference: int


class ClassicModel(Wire):
    """A model, as the classic paths describe it."""

    id: str
    object: Literal["model"]
    status: Literal["notRunning", "running", "succeeded", "canceled", "failed", "deleted"]
    created_at: int
    updated_at: int | None = None
    model: str | None = None
    fine_tune: str | None = None
    capabilities: ClassicModelCapabilities
    lifecycle_status: Literal["preview", "generally-available", "deprecating", "deprecated"]
    deprecation: ClassicModelDeprecation


class ClassicModelList(Wire):
    """Every model that the caller may ask for, as the classic paths list them."""

    object: Literal["list"]
    data: list[ClassicModel]
