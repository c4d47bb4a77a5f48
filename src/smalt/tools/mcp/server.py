"""Reads an `mcp` tool of a request: which server, with which headers; and shows it without its secrets."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit

import orjson

from smalt.core.errors import InvalidRequest, UnsupportedParameter

Json = dict[str, Any]

HIDDEN = "<redacted>"
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
SHORTEST_SECRET = 4
OWN_HEADERS = frozenset({"connection", "content-length", "content-type", "host", "te", "transfer-encoding", "upgrade"})
"""What only the one who sends the request can know."""

UNSERVED = {
    "connector_id": "Smalt has no connectors; name the server's server_url.",
    "tunnel_id": "Smalt has no tunnels; name the server's server_url.",
    "defer_loading": "Tools are always told to the model; use allowed_tools to tell fewer.",
}


@dataclass(frozen=True, slots=True)
class McpServer:
    """One server with what is sent to it; its address may hold secrets as well as its headers."""

    label: str
    url: str = field(repr=False)
    host: str
    port: int | None
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    description: str = ""

    @property
    def key(self) -> str:
        """Tells servers apart, headers included, without holding them."""
        told = orjson.dumps([self.url, sorted((name.lower(), value) for name, value in self.headers.items())])
        return hashlib.sha256(told).hexdigest()

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be repeated."""
        words = [word for value in self.headers.values() for word in (value, value.rpartition(" ")[2])]
        return tuple(word for word in [*words, urlsplit(self.url).query] if len(word) >= SHORTEST_SECRET)


def server_of(tool: Json, param: str) -> McpServer:
    """The server of a tool; raises `InvalidRequest` naming the field (below `param`) that cannot be honoured."""
    for name, advice in UNSERVED.items():
        if tool.get(name):
            raise UnsupportedParameter(f"{param}.{name}", advice)
    if "programmatic" in (tool.get("allowed_callers") or ()):
        raise UnsupportedParameter(f"{param}.allowed_callers", "Tools are called by the model only: 'direct'.")
    url = tool.get("server_url")
    if not url:
        raise InvalidRequest(
            f"Missing required parameter: '{param}.server_url'. It is the address of the MCP server.",
            param=f"{param}.server_url",
            code="missing_required_parameter",
        )
    parts, port = _parts(url, f"{param}.server_url")
    return McpServer(
        label=tool["server_label"],
        url=url,
        host=parts.hostname or "",
        port=port,
        headers=_headers(tool, param),
        description=tool.get("server_description") or "",
    )


def shown(tool: Json) -> Json:
    """An `mcp` tool as answers show it: the server's origin without its path, headers without their values."""
    seen = dict(tool)
    if tool.get("server_url"):
        seen["server_url"] = _shown_url(tool["server_url"])
    if tool.get("headers"):
        seen["headers"] = dict.fromkeys(tool["headers"], HIDDEN)
    if tool.get("authorization"):
        seen["authorization"] = HIDDEN
    return seen


def _shown_url(url: str) -> str:
    try:
        parts, _ = _parts(url, "server_url")
    except InvalidRequest:
        return HIDDEN
    origin = f"{parts.scheme}://{parts.netloc}"
    return f"{origin}/{HIDDEN}" if parts.path.strip("/") or parts.query else url


def _parts(url: str, param: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = None, None
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname or not url.isprintable():
        raise _wrong(param, f"Invalid '{param}': write a URL such as https://HOST/mcp.")
    if parts.username is not None or parts.fragment:
        raise _wrong(param, f"Invalid '{param}': a URL without user name and fragment. Sign in with headers.")
    return parts, port


def _headers(tool: Json, param: str) -> dict[str, str]:
    headers: dict[str, str] = dict(tool.get("headers") or {})
    for name, value in headers.items():
        path = f"{param}.headers"
        if not HEADER_NAME.fullmatch(name) or name.lower() in OWN_HEADERS:
            raise _wrong(path, f"Invalid '{path}': the header {name!r} cannot be set.")
        if not HEADER_VALUE.fullmatch(value):
            raise _wrong(path, f"Invalid '{path}': the value of {name!r} may have visible ASCII characters only.")
    token = tool.get("authorization")
    if token is None:
        return headers
    path = f"{param}.authorization"
    if any(name.lower() == "authorization" for name in headers):
        raise _wrong(path, f"Invalid '{path}': the headers have an Authorization already. Leave one of them out.")
    if not HEADER_VALUE.fullmatch(token):
        raise _wrong(path, f"Invalid '{path}': a token has visible ASCII characters only.")
    return {**headers, "Authorization": f"Bearer {token}"}


def _wrong(param: str, message: str) -> InvalidRequest:
    return InvalidRequest(message, param=param, code="invalid_value")
