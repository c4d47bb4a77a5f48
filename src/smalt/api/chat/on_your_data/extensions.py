"""Reads a request to the first form of On Your Data as the request it is today."""

import re
from typing import Any, cast

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from smalt.schemas.chat import AzureCreateChatCompletionRequest
from smalt.schemas.on_your_data import ExtensionsChatCompletionsRequest

Json = dict[str, Any]

TYPES = {
    "AzureCognitiveSearch": "azure_search",
    "AzureSearch": "azure_search",
    "AzureCosmosDB": "azure_cosmos_db",
    "MongoDB": "mongo_db",
}
"""Names of sources that are not today's in capitals."""
WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
MODERN = ("query_type",)
"""Parameters whose values changed their spelling too."""


def modern(body: ExtensionsChatCompletionsRequest) -> AzureCreateChatCompletionRequest:
    """The same request in today's words; raises, by field, for what it cannot be."""
    sent = body.model_dump(exclude_unset=True, by_alias=True, warnings=False)
    sources: list[Json] = sent.pop("dataSources")
    sent["data_sources"] = [_source(source) for source in sources]
    # What a tool said is the context of an earlier answer, which is searched for anew.
    sent["messages"] = [_message(message) for message in sent["messages"] if message.get("role") != "tool"]
    try:
        return AzureCreateChatCompletionRequest.model_validate(sent)
    except ValidationError as error:
        found = [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
        raise RequestValidationError(found, body=sent) from None


def _message(message: Json) -> Json:
    return {name: value for name, value in message.items() if name not in {"context", "end_turn", "index", "recipient"}}


def _source(source: Json) -> Json:
    kind = str(source.get("type", ""))
    parameters = cast("Json", _snake(source.get("parameters") or {}))
    key = parameters.pop("key", None)
    if "authentication" not in parameters:
        parameters["authentication"] = (
            {"type": "api_key", "key": key} if key else {"type": "system_assigned_managed_identity"}
        )
    for name in MODERN:
        if isinstance(value := parameters.get(name), str):
            parameters[name] = _word(value)
    if dependency := _dependency(parameters):
        parameters["embedding_dependency"] = dependency
    return {"type": TYPES.get(kind) or _word(kind), "parameters": parameters}


def _dependency(parameters: Json) -> Json | None:
    """What makes vectors, which the very first form spread over three parameters."""
    endpoint, key = parameters.pop("embedding_endpoint", None), parameters.pop("embedding_key", None)
    deployment = parameters.pop("embedding_deployment_name", None)
    if deployment:
        return {"type": "deployment_name", "deployment_name": deployment}
    if endpoint:
        return {
            "type": "endpoint",
            "endpoint": str(endpoint).partition("?")[0],
            "authentication": {"type": "api_key", "key": key},
        }
    return parameters.get("embedding_dependency")


def _snake(value: Any) -> Any:
    """The object with its names, and those of its types, in today's spelling."""
    if isinstance(value, list):
        return [_snake(one) for one in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    return {
        _word(name): _word(one) if name == "type" and isinstance(one, str) else _snake(one)
        for name, one in cast("Json", value).items()
    }


def _word(name: str) -> str:
    return WORD.sub("_", name).lower()
