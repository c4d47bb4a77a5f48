"""Writes an action's values as the HTTP request that its document describes."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import orjson

from smalt.connectors import custom_calls, search_access
from smalt.connectors.containers import root
from smalt.connectors.definitions.vocabulary import Action, Connector, Operation, Parameter
from smalt.connectors.exchange import FileValue, OutgoingCall
from smalt.connectors.value_types import typed
from smalt.connectors.values import chosen_operation, parameters_of
from smalt.core.errors import InvalidRequest

Given = Sequence[tuple[Parameter, Any]]
NOTHING: Final[Mapping[str, str]] = {}
PLACE: Final = re.compile(r"\{([^{}]+)\}")


def make_call(
    connector: Connector, action: Action, values: Mapping[str, Any], extras: Mapping[str, str] = NOTHING
) -> tuple[Operation, OutgoingCall]:
    """The operation and its request, for values as `read_values` gives them.

    `extras` are the connection's values that belong in a body: the access to a search service.
    """
    operation = chosen_operation(action, values)
    parameters = parameters_of(action, operation)
    given = [
        (parameter, _sent(parameter, values[parameter.name])) for parameter in parameters if parameter.name in values
    ]
    if any(parameter.place == "custom" for parameter in parameters):
        return operation, custom_calls.custom_call(connector, given)
    path = _path(operation, given)
    query = {parameter.at: as_text(value) for parameter, value in given if parameter.place == "query"}
    if operation.body == "none":
        return operation, OutgoingCall(method=operation.method, path=path, query=query)
    body = _body(given, {name: values[name] for name in _wholes(parameters) if name in values})
    if operation.body == "json":
        search_access.add(body, extras)
        return operation, OutgoingCall(method=operation.method, path=path, query=query, body=body)
    files = [(name, value) for name, value in body.items() if isinstance(value, FileValue)]
    fields = [
        field for name, value in body.items() if not isinstance(value, FileValue) for field in _fields(name, value)
    ]
    call = OutgoingCall(method=operation.method, path=path, query=query, fields=fields, files=files, is_form=True)
    return operation, call


def as_text(value: Any) -> str:
    """A value as a path, a query or a form has it."""
    if isinstance(value, str):
        return value
    return orjson.dumps(value).decode()


def _sent(parameter: Parameter, value: Any) -> Any:
    return value if parameter.sent_as is None else typed(value, parameter.sent_as, parameter.name)


def _path(operation: Operation, given: Given) -> str:
    values = {parameter.at: (parameter, value) for parameter, value in given if parameter.place == "path"}

    def segment(found: re.Match[str]) -> str:
        parameter, value = values[found[1]]
        text = as_text(value)
        if text.strip(".") == "":  # would be read as this folder or the one above
            raise InvalidRequest(f"'{parameter.name}' cannot be {text!r}; it is part of a path.", param=parameter.name)
        return quote(text, safe="")

    return PLACE.sub(segment, operation.path)


def _wholes(parameters: Sequence[Parameter]) -> Sequence[str]:
    named = {root(parameter) for parameter in parameters} - {parameter.name for parameter in parameters}
    return sorted(name for name in named if name is not None)


def _body(given: Given, wholes: Mapping[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for parameter, value in given:
        if parameter.place == "body":
            _put(body, parameter.at.split("."), value)
    return {**body, **wholes}


def _put(body: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Set a value at a path; a list on the way gets one element."""
    for step in path[:-1]:
        name = step.removesuffix("[]")
        inner: dict[str, Any] = {}
        body = body.setdefault(name, [inner])[0] if step.endswith("[]") else body.setdefault(name, inner)
    body[path[-1].removesuffix("[]")] = [value] if path[-1].endswith("[]") and not isinstance(value, list) else value


def _fields(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """A value as a form has it: a list as many fields, an object as its JSON."""
    if isinstance(value, list):
        for item in value:  # pyright: ignore[reportUnknownVariableType] - any JSON list
            yield f"{name}[]", as_text(item)
    else:
        yield name, as_text(value)
