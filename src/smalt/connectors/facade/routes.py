"""The facade: `/connectors/{connector}/…`."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from fastapi import Request

from smalt.connectors.acting import act
from smalt.connectors.definitions.registry import connector as connector_of
from smalt.connectors.definitions.registry import connectors
from smalt.connectors.facade.describing import description, summary
from smalt.connectors.facade.finding import Found, find
from smalt.connectors.facade.in_process import InProcess
from smalt.connectors.facade.reading import read_given
from smalt.connectors.search_access import ENDPOINT, KEY
from smalt.connectors.values import read_values
from smalt.core.errors import ApiError
from smalt.http.answers import Json
from smalt.http.body import Body
from smalt.http.dependencies import CurrentCall
from smalt.http.routing import Router

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
SEARCH_HEADERS: Final = {"search-endpoint": ENDPOINT, "search-key": KEY}
"""Headers by which a connection tells where its search service is."""

router = Router(include_in_schema=False)


@router.get("/connectors", operation_id="listConnectors", mounts={"connectors"})
async def list_connectors() -> Json:
    """List the connectors and the names of their actions."""
    return Json({"object": "list", "data": [summary(connector) for connector in connectors()]})


@router.get("/connectors/{connector}", operation_id="describeConnector", mounts={"connectors"})
async def describe_connector(connector: str) -> Json:
    """Return everything about one connector."""
    return Json(description(connector_of(connector)))


@router.get("/connectors/{connector}/swagger.json", operation_id="exportConnector", mounts={"connectors"})
async def export_connector(connector: str, request: Request) -> Json:
    """Return the definition that Power Platform imports, for this server at the address that it was asked at."""
    # Exports are rarely asked for, and take what they need from here.
    from smalt.connectors.exports.destination import on_smalt
    from smalt.connectors.exports.swagger import swagger

    definition = connector_of(connector)
    return Json(swagger(definition, on_smalt(definition, str(request.base_url))))


async def call_connector(connector: str, path: str, request: Body, call: CurrentCall) -> Json:
    """Do what the connector has at the path, and answer in its shape."""
    definition = connector_of(connector)
    found = find(definition, call.method, f"/{path}")
    given = await read_given(request)
    chosen = _meant(found, given)
    call.operation = f"{definition.name}/{chosen.action.name}"
    extras = {field: value for name, field in SEARCH_HEADERS.items() if (value := request.headers.get(name))}
    carrier = InProcess(request.app, request.scope, request.receive, definition.mount)
    return Json(await act(definition, chosen.action, {**given, **chosen.given}, carrier, extras))


def _meant(found: Sequence[Found], given: Mapping[str, Any]) -> Found:
    """Of several actions at one path, the first that takes the values as they are; the first of all when none does."""
    if len(found) > 1:
        for one in found:
            with suppress(ApiError):
                read = read_values(one.action, {**given, **one.given})
                if all(read.get(name, value) == value for name, value in given.items()):
                    return one
    return found[0]


for method in METHODS:
    router.operation(
        method,
        "/connectors/{connector}/{path:path}",
        operation_id="callConnector",
        mounts={"connectors"},
        streamed=True,
    )(call_connector)
