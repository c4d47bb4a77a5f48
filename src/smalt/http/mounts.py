"""Reads a path: which mount it came in by, which deployment it names, and the one route that serves it."""

import re
from urllib.parse import parse_qs, unquote

from starlette.types import Scope

from smalt.core.ids import request_id, uuid_id
from smalt.http import search_service
from smalt.http.call import Call, Mount
from smalt.http.refusals import MissingVersion, UnsupportedVersion

DEPLOYMENTS = "/openai/deployments/"
PREFIXES: tuple[tuple[str, Mount], ...] = (
    ("/openai/v1/", "azure_v1"),
    ("/v1/", "openai_v1"),
    ("/openai/", "azure_classic"),
)
CONNECTORS = "/connectors"
V1_VERSIONS = frozenset({"preview", "latest", "v1"})
DATED = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(-preview)?")
SERVER_PATHS = frozenset({"/openai/v1/openapi.json"})
"""Paths that look like a mount's and are the server's own."""


def understand(scope: Scope) -> tuple[Call, str]:
    """The call that a request is, and the path of its route."""
    path: str = scope["path"]
    if path in SERVER_PATHS:
        return _call(scope, "outside"), path
    if path.startswith(DEPLOYMENTS):
        return _under_deployment(scope)
    if search_service.is_search_path(path):
        return _call(scope, "search"), search_service.plain_path(_raw_path(scope))
    for prefix, mount in PREFIXES:
        if path.startswith(prefix):
            return _call(scope, mount), path[len(prefix) - 1 :]
    if path == CONNECTORS or path.startswith(f"{CONNECTORS}/"):
        # What stands in the place of a parameter keeps its percent-encoding.
        return _call(scope, "connectors"), _raw_path(scope)
    return _call(scope, "outside"), path


def require_served_version(call: Call) -> None:
    """Refuse an `api-version` that the mount does not know; `/v1` does not look at it."""
    if call.mount == "azure_v1":
        if call.api_version is not None and call.api_version not in V1_VERSIONS:
            raise UnsupportedVersion(call.api_version, expected="preview, latest, v1, or none at all")
    elif call.mount == "azure_classic":
        if not call.api_version:
            raise MissingVersion
        if not DATED.fullmatch(call.api_version):
            raise UnsupportedVersion(call.api_version, expected="a date such as 2024-10-21 or 2025-04-01-preview")
    elif call.mount == "search":
        search_service.require_version(call.api_version)


def _under_deployment(scope: Scope) -> tuple[Call, str]:
    call = _call(scope, "azure_classic")
    # The encoded path tells a slash in a deployment's name from a slash behind it.
    rest = _raw_path(scope)[len(DEPLOYMENTS) :]
    name, slash, operation = rest.partition("/")
    call.deployment = unquote(name)
    return call, slash + unquote(operation)


def _raw_path(scope: Scope) -> str:
    """The path as it was sent, percent-encoded."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.split(b"?", 1)[0].decode("latin-1")


def _call(scope: Scope, mount: Mount) -> Call:
    version: str | None = None
    if mount != "openai_v1" and b"api-version" in scope["query_string"]:
        version = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True).get("api-version", [""])[-1]
    new_id = request_id() if mount == "openai_v1" else uuid_id()
    return Call(mount, scope["method"], scope["path"], new_id, api_version=version)
