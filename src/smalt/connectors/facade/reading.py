"""Reads what a request to the facade gives an action: from its path, its query, and its JSON or form."""

from collections.abc import Iterable
from typing import Any

import orjson

from smalt.connectors.exchange import FileValue
from smalt.core.errors import InvalidRequest
from smalt.http.body import Body
from smalt.http.multipart import Part

ADVICE = "Send smaller files, or raise limits.body_bytes."


async def read_given(request: Body) -> dict[str, Any]:
    """The values by the names of parameters, as far as the query and the body have them."""
    body = await _form(request) if _is_form(request) else await _json(request)
    return {**body, **_gathered(request.query_params.multi_items())}


def _is_form(request: Body) -> bool:
    return request.headers.get("content-type", "").startswith("multipart/")


async def _json(request: Body) -> dict[str, Any]:
    await request.read()
    content = await request.body()
    if not content:
        return {}
    if not request.is_json:
        raise InvalidRequest("Send the values as JSON with the header Content-Type: application/json, or as a form.")
    try:
        value: Any = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"We could not parse the JSON body of your request: {error}. Send one object.") from None
    if not isinstance(value, dict):
        raise InvalidRequest("The body must be one JSON object whose names are those of the action's parameters.")
    return value  # pyright: ignore[reportUnknownVariableType] - any JSON object


async def _form(request: Body) -> dict[str, Any]:
    """Files in memory, as the action's own form is made of them."""
    left: int = request.app.state.settings.limits.body_bytes
    given: list[tuple[str, Any]] = []
    async for part in request.form_parts():
        if part.filename is None:
            given.append((part.name, await part.text()))
        else:
            file = await _file(part, left)
            left -= len(file.content)
            given.append((part.name, file))
    return _gathered(given)


def _gathered(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The values by name; of a name that comes several times, the list of them."""
    found: dict[str, list[Any]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


async def _file(part: Part, limit: int) -> FileValue:
    content = b"".join([chunk async for chunk in part.limited(limit, advice=ADVICE)])
    return FileValue(part.filename or "file", content, part.content_type)
