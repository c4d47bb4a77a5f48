"""Puts a connection's access to its search service into the data sources of a chat request."""

from collections.abc import Collection, Mapping
from typing import Any

ENDPOINT = "search_endpoint"
KEY = "search_api_key"
"""The fields of a connection that tell where the search service is and who may ask it."""

TODAY = "azure_search"
EXTENSIONS = frozenset({"AzureCognitiveSearch", "AzureSearch"})


def add(body: dict[str, Any], extras: Mapping[str, str]) -> None:
    """Complete each data source that is a search service; what the caller gave is kept, and is not changed."""
    endpoint, key = extras.get(ENDPOINT), extras.get(KEY)
    authentication = {"type": "api_key", "key": key} if key else None
    _complete(body, "data_sources", {TODAY}, {"endpoint": endpoint, "authentication": authentication})
    _complete(body, "dataSources", EXTENSIONS, {"endpoint": endpoint, "key": key})


def keys_of(extras: Mapping[str, str]) -> Mapping[str, str]:
    """What of a connection's values nobody is to read in an answer."""
    return {KEY: extras[KEY]} if extras.get(KEY) else {}


def _complete(body: dict[str, Any], name: str, kinds: Collection[str], access: Mapping[str, Any]) -> None:
    sources: Any = body.get(name)
    if isinstance(sources, list):
        body[name] = [_completed(source, kinds, access) for source in sources]  # pyright: ignore[reportUnknownVariableType] - JSON


def _completed(source: Any, kinds: Collection[str], access: Mapping[str, Any]) -> Any:
    given: dict[str, Any] = dict(source) if isinstance(source, dict) else {}  # pyright: ignore[reportUnknownArgumentType] - JSON
    parameters: Any = given.get("parameters") or {}
    if any(given.get("type") == kind for kind in kinds) and isinstance(parameters, dict):
        given["parameters"] = _joined(parameters, {name: value for name, value in access.items() if value})  # pyright: ignore[reportUnknownArgumentType] - JSON
    return given or source  # pyright: ignore[reportUnknownVariableType] - JSON


def _joined(parameters: dict[str, Any], access: dict[str, Any]) -> dict[str, Any]:
    named, own = parameters.get("endpoint"), access.get("endpoint")
    # Another search service than the connection's does not get its key.
    is_elsewhere = bool(named and own) and _address(named) != _address(own)
    return parameters if is_elsewhere else access | parameters


def _address(endpoint: Any) -> str:
    return str(endpoint).rstrip("/").lower()
