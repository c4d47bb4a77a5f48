"""Writes a call that people put together by hand: path, method, headers, query and body."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import orjson

from smalt.connectors.definitions.vocabulary import Connector, Parameter
from smalt.connectors.exchange import OutgoingCall
from smalt.connectors.value_types import parsed_json
from smalt.core.errors import InvalidRequest

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
KEPT: Final = frozenset(
    {"authorization", "api-key", "host", "cookie", "content-length", "transfer-encoding", "connection", "upgrade", "te"}
)
"""Headers that belong to the connection, not to the call."""
NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def custom_call(connector: Connector, given: Sequence[tuple[Parameter, Any]]) -> OutgoingCall:
    """The request that the values describe, under the connection's own root and with its credentials."""
    values = {parameter.key: value for parameter, value in given}
    path, query = _place(connector, str(values.get("url", "")))
    method = str(values.get("method", "GET")).upper()
    if method not in METHODS:
        raise InvalidRequest(f"The method {method!r} cannot be used. Use one of {', '.join(METHODS)}.", param="method")
    return OutgoingCall(
        method=method,
        path=path,
        query={**query, **_texts(values.get("qs") or {})},
        headers=_headers(_texts(values.get("headers") or {})),
        body=_body(values.get("body")),
    )


def _place(connector: Connector, url: str) -> tuple[str, dict[str, str]]:
    parts = urlsplit(url.strip())
    path = parts.path.lstrip("/")
    above = any(segment in {".", ".."} for segment in unquote(path).split("/"))
    if parts.scheme or parts.netloc or not path or above:
        raise InvalidRequest(
            f"'url' must be a path below {connector.base_url}, such as models, not {url!r}.", param="url"
        )
    return quote(path, safe="/%:@!$&'()*+,;=~-._"), dict(parse_qsl(parts.query, keep_blank_values=True))


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if name.strip().lower() in KEPT:
            raise InvalidRequest(f"The header {name} is set by the connection. Leave it out.", param="headers")
        if not NAME.fullmatch(name.strip()) or any(mark in value for mark in "\r\n\0"):
            raise InvalidRequest(f"{name!r} is no header that can be sent.", param="headers")
    return {name.strip().lower(): value for name, value in headers.items()}


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: value if isinstance(value, str) else orjson.dumps(value).decode() for name, value in values.items()}


def _body(body: Any) -> Any:
    if not isinstance(body, str):
        return body
    value = parsed_json(body)
    if value is None:
        raise InvalidRequest("'body' must be JSON.", param="body")
    return value
