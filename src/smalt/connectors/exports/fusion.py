"""Exports a connector as a custom app of Make and Workfront Fusion, as their editor keeps it in a folder."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from smalt.connectors.definitions.vocabulary import Action, ConnectionField, ConnectionKind, Connector
from smalt.connectors.exports import make_fields
from smalt.connectors.exports.calls import ExportedCall, calls
from smalt.connectors.exports.destination import Destination
from smalt.connectors.exports.make_results import interface, result_of, sample
from smalt.connectors.exports.writing import Content

PLACE: Final = re.compile(r"\{([^{}]+)\}")
CONNECTION: Final = "smalt"
KEPT_BY_MAKE: Final = "connection_name"
"""A field that every connection of Make has by itself."""
SMALT_KNOWS: Final = frozenset({"resource_name", "organization_id"})
MESSAGE: Final = "[{{statusCode}}] {{body.error.message}}"
ERRORS: Final = {
    "message": MESSAGE,
    "type": "RuntimeError",
    "400": {"message": MESSAGE, "type": "DataError"},
    "401": {"message": MESSAGE, "type": "InvalidAccessTokenError"},
    "429": {"message": MESSAGE, "type": "RateLimitError"},
}


def fusion(connector: Connector, destination: Destination) -> Mapping[str, Content]:
    """The files of the app's folder; `makecomapp.json` tells what each is."""
    kind = next(each for each in connector.connections if not each.token_scope)
    files: dict[str, Content] = {
        "README.md": f"# {connector.title}\n\n{connector.description}\n",
        "general/base.iml.json": _base(kind, destination),
        "general/common.json": {},
        "general/groups.json": [
            {"label": connector.title, "modules": [module_id(action.name) for action in connector.actions]}
        ],
    }
    components: dict[str, dict[str, Any]] = {
        "connection": {CONNECTION: _add_connection(files, connector, kind, destination)},
        "webhook": {},
        "module": {},
        "rpc": {},
        "function": {},
    }
    by_action: dict[str, list[ExportedCall]] = {}
    for call in calls(connector, is_cloud=destination.is_cloud):
        by_action.setdefault(call.action.name, []).append(call)
    for action in connector.actions:
        module = _add_module(files, action, by_action.get(action.name, []), destination)
        components["module"][module_id(action.name)] = module
    source = make_fields.options_source(connector)
    if source is not None:
        components["rpc"]["listModels"] = _add_rpc(files, by_action[source.name][0], source, destination)
    files["makecomapp.json"] = {
        "fileVersion": 1,
        "generalCodeFiles": {
            "base": "general/base.iml.json",
            "common": "general/common.json",
            "readme": "README.md",
            "groups": "general/groups.json",
        },
        "components": components,
        "origins": [],
    }
    return files


def module_id(name: str) -> str:
    """`get_models` as `getModels`."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _base(kind: ConnectionKind, destination: Destination) -> dict[str, Any]:
    return {
        "baseUrl": _root(destination),
        "headers": _headers(kind, destination),
        "response": {"error": ERRORS},
        "log": {"sanitize": [f"request.headers.{make_fields.quoted(name.lower())}" for name in kind.headers]},
    }


def _root(destination: Destination) -> str:
    return _of_connection(destination.template) if destination.template else destination.url


def _headers(kind: ConnectionKind, destination: Destination) -> dict[str, str]:
    return {
        name: _of_connection(template)
        for name, template in kind.headers.items()
        if destination.is_cloud or not SMALT_KNOWS & set(PLACE.findall(template))
    }


def _of_connection(template: str) -> str:
    return PLACE.sub(r"{{connection.\1}}", template)


def _add_connection(
    files: dict[str, Content], connector: Connector, kind: ConnectionKind, destination: Destination
) -> dict[str, Any]:
    folder = f"connections/{CONNECTION}/{CONNECTION}"
    # A Smalt describes the connector to those who have a key; a service lists its models.
    url = f"{_root(destination)}/models" if destination.is_cloud else destination.url
    request: dict[str, Any] = {"url": url, "method": "GET", "headers": _headers(kind, destination)}
    if destination.template:
        request["qs"] = {"api-version": "2024-10-21"}
    request = {**request, "response": {"error": ERRORS}, "log": _base(kind, destination)["log"]}
    files[f"{folder}.communication.iml.json"] = _in_connection(request)
    files[f"{folder}.params.iml.json"] = [
        _connection_field(field)
        for field in kind.fields
        if field.key != KEPT_BY_MAKE and (destination.is_cloud or field.key not in SMALT_KNOWS)
    ]
    files[f"{folder}.common.json"] = {}
    return {
        "label": connector.title,
        "connectionType": "basic",
        "codeFiles": {
            "communication": f"{folder}.communication.iml.json",
            "params": f"{folder}.params.iml.json",
            "common": f"{folder}.common.json",
        },
    }


def _in_connection(value: Any) -> Any:
    """A connection that is being made has its values where modules have theirs."""
    if isinstance(value, dict):
        return {name: _in_connection(each) for name, each in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return value.replace("{{connection.", "{{parameters.") if isinstance(value, str) else value


def _connection_field(field: ConnectionField) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": field.key,
        "label": field.title,
        "type": "password" if field.type == "securestring" else "text",
        "help": field.help,
    }
    return {**made, "required": True, "editable": True} if field.required else {**made, "editable": True}


def _add_module(
    files: dict[str, Content], action: Action, made: Sequence[ExportedCall], destination: Destination
) -> dict[str, Any]:
    is_custom = any(parameter.place == "custom" for parameter in action.parameters)
    requests = [_request(call) for call in made] or [_custom_request(destination)]
    result = result_of(action, is_cloud=destination.is_cloud)
    content: dict[str, Content] = {
        "communication": requests[0] if len(requests) == 1 else requests,
        "static-params": [],
        "mappable-params": make_fields.fields(action, is_cloud=destination.is_cloud),
        "interface": interface(result),
        "samples": sample(result),
        "scope": [],
    }
    folder = action.name.replace("_", "-")
    paths = {name: f"modules/{folder}/{folder}.{name}.iml.json" for name in content}
    files |= {paths[name]: each for name, each in content.items()}
    return {
        "label": action.title,
        "description": action.description,
        "moduleType": "universal" if is_custom else "action",
        "connection": CONNECTION,
        "codeFiles": {module_id(name.replace("-", "_")): path for name, path in paths.items()},
    }


def _request(call: ExportedCall) -> dict[str, Any]:
    request: dict[str, Any] = {
        "url": PLACE.sub(lambda found: make_fields.value_of(found[1]), call.real_path or call.path),
        "method": call.method,
    }
    if call.is_cloud and call.operation is not None and len(call.action.operations) > 1:
        request["condition"] = f"{{{{parameters.operation == '{call.operation.name}'}}}}"
    if call.in_query:
        request["qs"] = {call.name_of(each): make_fields.value_of(each.name) for each in call.in_query}
    if call.method != "GET":
        request["body"] = make_fields.body(call, call.in_body)
    if call.is_form:
        request["type"] = "multipart/form-data"
    is_sound = call.operation is not None and call.operation.answer == "binary"
    response: dict[str, Any] = {"output": "{{body}}"}
    if is_sound and call.is_cloud:
        response = {"type": "binary", "output": {"$content": "{{body}}", "$content-type": "{{headers.`content-type`}}"}}
    return {**request, "response": response}


def _custom_request(destination: Destination) -> dict[str, Any]:
    """What people put together by hand, at the service itself."""
    return {
        "url": f"{_root(destination)}/{{{{parameters.url}}}}",
        "method": "{{parameters.method}}",
        "headers": {"{{...}}": make_fields.pairs("headers")},
        "qs": {"{{...}}": make_fields.pairs("qs")},
        "body": "{{parameters.body}}",
        "type": "text",
        "response": {"output": {name: f"{{{{{name}}}}}" for name in ("body", "headers", "statusCode")}},
    }


def _add_rpc(files: dict[str, Content], call: ExportedCall, source: Action, destination: Destination) -> dict[str, Any]:
    request: dict[str, Any] = {"url": call.path, "method": call.method}
    if not destination.is_cloud and len(source.operations) > 1:
        request |= {"qs": {"operation": source.operations[0].name}, "body": {}}
    output = {"label": "{{item.id}}", "value": "{{item.id}}"}
    request["response"] = {"iterate": "{{body.data}}", "limit": 500, "output": output}
    folder = "rpcs/list-models/list-models"
    files |= {f"{folder}.communication.iml.json": request, f"{folder}.params.iml.json": []}
    return {
        "label": "List models",
        "connection": CONNECTION,
        "codeFiles": {
            "communication": f"{folder}.communication.iml.json",
            "params": f"{folder}.params.iml.json",
        },
    }
