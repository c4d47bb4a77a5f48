"""Refuses fields that nobody honours, wherever they stand in a request."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from pydantic import BaseModel

from smalt.core.errors import InvalidRequest, UnsupportedParameter
from smalt.schemas.responses import AzureCreateResponse
from smalt.schemas.responses.tools import CodeInterpreterTool, FunctionTool, MCPTool

CALLERS = "Tools are called by the model only: 'direct'."
UNSERVED: Mapping[type[BaseModel], Mapping[str, str]] = {
    FunctionTool: {
        "defer_loading": "Tools are always told to the model; offer only those that it needs.",
        "allowed_callers": CALLERS,
        "output_schema": "What a function returns is read as text; say what it is in the description.",
    },
    CodeInterpreterTool: {"allowed_callers": CALLERS},
}
"""Fields that the reference has and Smalt does not serve, and what to do instead."""

CHECKED_ELSEWHERE: Mapping[type[BaseModel], frozenset[str]] = {
    MCPTool: frozenset({"connector_id", "tunnel_id", "defer_loading", "allowed_callers"}),
}

SAYS_NOTHING = (None, False, ["direct"])
"""What such a field may say, because it holds anyway."""


def check_fields(body: AzureCreateResponse) -> None:
    """Refuse the first field that the reference does not have, or that is not served.

    Items are not looked into: they come back as they were shown, and what nobody knows of them is dropped.
    """
    for holder, path in _models(body, ""):
        within = f"{path}." if path else ""
        for name, value in (holder.model_extra or {}).items():
            _check(type(holder), name, value, param=within + name)


def _check(kind: type[BaseModel], name: str, value: Any, *, param: str) -> None:
    if name in CHECKED_ELSEWHERE.get(kind, ()) or value is None:
        return
    advice = UNSERVED.get(kind, {}).get(name)
    if advice is None:
        raise InvalidRequest(f"Unknown parameter: '{param}'.", param=param, code="unknown_parameter")
    if value not in SAYS_NOTHING:
        raise UnsupportedParameter(param, advice)


def _models(value: Any, path: str) -> Iterator[tuple[BaseModel, str]]:
    """The model at `path` and those below it, each with its path."""
    if isinstance(value, list):
        for position, one in enumerate(cast("list[Any]", value)):
            yield from _models(one, f"{path}[{position}]")
    elif isinstance(value, BaseModel):
        yield value, path
        for name, field in type(value).model_fields.items():
            if name != "input":
                yield from _models(getattr(value, name), f"{path}.{field.alias or name}" if path else name)
