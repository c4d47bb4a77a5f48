"""Holds an exported app to the rules of Make's custom apps, and works out their templates as Make does.

The rules are those of the public documentation of Make's custom apps and of its editor's schemas: the manifest's parts,
the keys of a request, and the types and keys of fields.
"""

import re
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]
GENERAL = {"base", "common", "groups", "readme"}
COMPONENTS = {"connection", "function", "module", "rpc", "webhook"}
METADATA = {
    "connection": {"label", "connectionType", "codeFiles"},
    "module": {"label", "description", "moduleType", "actionCrud", "connection", "altConnection", "codeFiles"},
    "rpc": {"label", "connection", "altConnection", "codeFiles"},
}
CODE = {
    "connection": {"communication", "params", "common", "scopeList", "defaultScope", "installSpec"},
    "module": {"communication", "staticParams", "mappableParams", "interface", "samples", "scope"},
    "rpc": {"communication", "params"},
}
MODULE_TYPES = {"action", "search", "trigger", "instant_trigger", "responder", "universal"}
NAME = re.compile(r"[a-zA-Z][0-9a-zA-Z]+")
REQUEST = {
    "url", "encodeUrl", "method", "headers", "qs", "body", "type", "temp", "condition", "followRedirects",
    "followAllRedirects", "pagination", "response",
}  # fmt: skip
RESPONSE = {"type", "valid", "limit", "error", "iterate", "temp", "output", "wrapper", "data", "metadata", "uid"}
REQUEST_TYPES = {"json", "urlencoded", "multipart/form-data", "text", "string", "raw", "binary"}
RESPONSE_TYPES = {"automatic", "json", "urlencoded", "text", "raw", "string", "binary", "xml"}
ERRORS = {
    "RuntimeError", "DataError", "RateLimitError", "OutOfSpaceError", "ConnectionError", "InvalidConfigurationError",
    "InvalidAccessTokenError", "IncompleteDataError", "DuplicateDataError",
}  # fmt: skip
TYPES = {
    "any", "array", "boolean", "buffer", "collection", "date", "email", "filename", "file", "filter", "folder",
    "hidden", "integer", "json", "number", "password", "select", "text", "time", "timestamp", "timezone", "uinteger",
    "url",
}  # fmt: skip
FIELD = {
    "name", "label", "help", "type", "semantic", "default", "advanced", "required", "grouped", "multiline", "multiple",
    "editable", "mappable", "mode", "labels", "spec", "nested", "options", "validate",
}  # fmt: skip
TEMPLATE = re.compile(r"\{\{(.+?)\}\}")
MISSING = object()


def check_manifest(files: Mapping[str, Any]) -> None:
    manifest = files["makecomapp.json"]
    assert set(manifest) == {"fileVersion", "generalCodeFiles", "components", "origins"}
    assert set(manifest["generalCodeFiles"]) == GENERAL
    assert set(manifest["components"]) == COMPONENTS
    named = {"makecomapp.json", *manifest["generalCodeFiles"].values()}
    for kind, components in manifest["components"].items():
        for name, component in components.items():
            assert NAME.fullmatch(name)
            assert set(component) <= METADATA[kind]
            assert set(component["codeFiles"]) <= CODE[kind]
            assert component.get("connection", "smalt") in manifest["components"]["connection"]
            named |= set(component["codeFiles"].values())
    assert named == set(files)
    for module in manifest["components"]["module"].values():
        assert module["moduleType"] in MODULE_TYPES
    [group] = files["general/groups.json"]
    assert group["modules"] == list(manifest["components"]["module"])


def check_request(request: Json, *more: str) -> None:
    assert set(request) <= {*REQUEST, *more}
    assert 0 < len(request.get("url", request.get("baseUrl", ""))) <= 512
    assert request.get("method", "GET") in {"GET", "POST", "PUT", "PATCH", "DELETE", "{{parameters.method}}"}
    assert request.get("method", "GET") == "GET" or "body" in request
    assert request.get("type", "json") in REQUEST_TYPES
    response = request.get("response", {})
    assert set(response) <= RESPONSE
    assert response.get("type", "json") in RESPONSE_TYPES
    error = response.get("error", {})
    for key, value in error.items():
        assert key in {"message", "type"} or re.fullmatch(r"[0-9]{3}", key)
        assert isinstance(value, str) or set(value) == {"message", "type"}
        assert key == "message" or (value if key == "type" else value["type"]) in ERRORS


def check_fields(fields: list[Json]) -> None:
    names = [field["name"] for field in fields]
    assert len(names) == len(set(names))
    for field in fields:
        assert set(field) <= FIELD
        assert 0 < len(field["name"]) <= 128
        assert 0 < len(field["label"]) <= 256
        assert field.get("help", "told")
        _check_type(field)


def _check_type(field: Json) -> None:
    assert field["type"] in TYPES
    assert ("spec" in field) is (field["type"] in {"array", "collection"})
    assert ("options" in field) is (field["type"] == "select")
    spec = field.get("spec", [])
    if isinstance(spec, list):
        check_fields(spec)
    else:
        _check_type(spec)
    options = field.get("options", [])
    if isinstance(options, dict):
        assert options["store"].startswith("rpc://")
        return
    for option in options:
        assert {"label", "value"} <= set(option) <= {"label", "value", "nested"}
        check_fields(option.get("nested", []))


def worked_out(value: Any, values: Json) -> Any:
    """A template with its values; what has none is left out."""
    if isinstance(value, dict):
        made: Json = {}
        for name, each in value.items():
            inner = worked_out(each, values)
            if inner is not MISSING:
                made |= inner if name == "{{...}}" else {name: inner}
        return made
    if not isinstance(value, str):
        return value
    whole = TEMPLATE.fullmatch(value)
    if whole and "}}" not in whole[1]:
        return _evaluated(whole[1], values)
    return TEMPLATE.sub(lambda found: str(_evaluated(found[1], values)), value)


def _evaluated(expression: str, values: Json) -> Any:
    pairs = re.fullmatch(r"toCollection\((.+), 'key', 'value'\)", expression)
    if pairs:
        found = _evaluated(pairs[1], values)
        return {} if found is MISSING else {each["key"]: each["value"] for each in found}
    value: Any = values
    for step in re.findall(r"`[^`]+`|\w+", expression):
        value = value.get(step.strip("`"), MISSING) if isinstance(value, dict) else MISSING
    return value
