"""Writes what Power Platform keeps beside a definition: connections, policies and looks."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from smalt.connectors.definitions.vocabulary import ConnectionField, ConnectionKind, Connector
from smalt.connectors.exports.calls import calls
from smalt.connectors.exports.destination import Destination
from smalt.connectors.search_access import ENDPOINT, KEY

FIELD: Final = re.compile(r"\{(\w+)\}")
NOT_ASKED: Final = frozenset({"connection_name", "organization_id"})
"""Fields that Power Platform has itself, or whose header may not be sent empty: a key has an organization anyway."""
CLOUD_ONLY: Final = frozenset({"resource_name"})
"""Fields that tell a service what a Smalt knows by its address."""
SEARCH_HEADERS: Final = {"search-endpoint": ENDPOINT, "search-key": KEY}
"""The headers by which the facade is told where a connection's search service is."""
CLIENT_ID: Final = "00000000-0000-0000-0000-000000000000"
POLICY: Final = "x-ms-apimTemplateParameter."
ON_OPERATIONS: Final = "x-ms-apimTemplate-operationName"


def api_properties(connector: Connector, destination: Destination) -> dict[str, Any]:
    """The content of apiProperties.json."""
    kinds = [kind for kind in connector.connections if not kind.is_deprecated]
    if len(kinds) == 1:
        connections = {"connectionParameters": _parameters(kinds[0], destination)}
    else:
        connections = {"connectionParameterSets": _sets(kinds, destination)}
    properties = {
        **connections,
        "iconBrandColor": connector.brand_color,
        "capabilities": ["actions"],
        "policyTemplateInstances": list(_policies(connector, kinds, destination)),
        "publisher": connector.publisher,
        "stackOwner": "Microsoft" if "azure" in connector.base_url else "OpenAI",
    }
    return {"properties": properties}


def _sets(kinds: Sequence[ConnectionKind], destination: Destination) -> dict[str, Any]:
    return {
        "uiDefinition": {
            "displayName": "Authentication type",
            "description": "How the connection signs in.",
        },
        "values": [
            {
                "name": kind.name,
                "uiDefinition": _ui_of_kind(kind),
                "parameters": {
                    name: _in_a_set(parameter) for name, parameter in _parameters(kind, destination).items()
                },
            }
            for kind in kinds
        ],
    }


def _ui_of_kind(kind: ConnectionKind) -> dict[str, str]:
    if kind.token_scope:
        # Only Microsoft's own connectors may use a managed identity; others sign in for the same resource.
        return {"displayName": "Microsoft Entra ID", "description": "Signs in with Microsoft Entra ID, without a key."}
    return {"displayName": kind.title, "description": kind.description}


def _parameters(kind: ConnectionKind, destination: Destination) -> dict[str, Any]:
    left_out = NOT_ASKED if destination.is_cloud else NOT_ASKED | CLOUD_ONLY
    fields = [field for field in kind.fields if field.key not in left_out]
    parameters: dict[str, Any] = {}
    for index, field in enumerate(fields, 1):
        if field.type == "managedIdentity":
            parameters["token"] = _sign_in(kind, destination)
        else:
            parameters[field.key] = _parameter(field, index)
    return parameters


def _parameter(field: ConnectionField, index: int) -> dict[str, Any]:
    constraints: dict[str, Any] = {"required": "true" if field.required else "false", "tabIndex": index}
    if field.type == "securestring":
        constraints["clearText"] = False
    return {
        "type": field.type,
        "uiDefinition": {
            "displayName": field.title,
            "description": field.help,
            "tooltip": field.help,
            "constraints": constraints,
        },
    }


def _in_a_set(parameter: dict[str, Any]) -> dict[str, Any]:
    """The parameter as those must be that are asked for once a kind is chosen: there the help lies within a schema."""
    told = parameter["uiDefinition"]
    if parameter["type"] in {"string", "securestring"}:
        told = {**told, "schema": {"type": parameter["type"], "description": told["description"]}}
    return {**parameter, "uiDefinition": told}


def _sign_in(kind: ConnectionKind, destination: Destination) -> dict[str, Any]:
    cloud = kind.token_scope.removesuffix("/.default")
    resource = cloud if destination.is_cloud else f"{destination.scheme}://{destination.host}"
    return {
        "type": "oauthSetting",
        "oAuthSettings": {
            "identityProvider": "aad",
            "clientId": CLIENT_ID,
            "scopes": [],
            "redirectMode": "GlobalPerConnector",
            "customParameters": {
                "loginUri": {"value": "https://login.windows.net"},
                "tenantId": {"value": "common"},
                "resourceUri": {"value": resource},
            },
            "properties": {"IsFirstParty": "False"},
        },
        "uiDefinition": {
            "displayName": "Sign in",
            "description": "Sign in with Microsoft Entra ID.",
            "constraints": {"required": "true"},
        },
    }


def _policies(
    connector: Connector, kinds: Sequence[ConnectionKind], destination: Destination
) -> Iterator[dict[str, Any]]:
    if destination.template:
        yield _policy("dynamichosturl", "Call the connection's own resource", urlTemplate=_filled(destination.template))
    fields = {field.key for kind in kinds for field in kind.fields}
    for kind in kinds:
        if not kind.token_scope:
            yield from _headers(kind, is_one_of_many=len(kinds) > 1)
    for header, field in SEARCH_HEADERS.items():
        if field in fields and not destination.is_cloud:
            yield _header(header, f"{{{field}}}")
    for call in calls(connector, is_cloud=destination.is_cloud):
        if call.real_path:
            yield _policy(
                "routerequesttoendpoint",
                f"{call.title} at its path",
                operations=[call.name],
                newPath=call.real_path,
                httpMethod=call.method,
            )


def _headers(kind: ConnectionKind, *, is_one_of_many: bool) -> Iterator[dict[str, Any]]:
    """The headers that a definition cannot say: those of several kinds of connection, and those with more to them."""
    for header, template in kind.headers.items():
        is_whole = FIELD.fullmatch(template) is not None
        if not NOT_ASKED & set(FIELD.findall(template)) and (is_one_of_many or not is_whole):
            yield _header(header, template)


def _header(name: str, template: str) -> dict[str, Any]:
    return _policy(
        "setheader",
        f"Set {name}",
        policySection="Request",
        name=name,
        value=_filled(template),
        existsAction="override",
    )


def _filled(template: str) -> str:
    """The template with a connection's values in place of its fields."""
    return FIELD.sub(r"@connectionParameters('\1','')", template)


def _policy(template: str, title: str, operations: Sequence[str] = (), **parameters: str) -> dict[str, Any]:
    given: dict[str, Any] = {ON_OPERATIONS: list(operations)} if operations else {}
    if section := parameters.pop("policySection", ""):
        given["x-ms-apimTemplate-policySection"] = section
    given |= {f"{POLICY}{name}": value for name, value in parameters.items()}
    return {"templateId": template, "title": title, "parameters": given}
