"""Writes a call that people put together by hand: path, method, headers, query and body."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

import orjson

from smalt.connectors.definitions.vocabulary import Connector, Parameter
from smalt.connectors.exchange import OutgoingCall, Query
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
        query={**query, **_query(values.get("qs") or {})},
        headers=_headers(_texts(values.get("headers") or {})),
        body=_body(values.get("body")),
    )


def _place(connector: Connector, url: str) -> tuple[str, Query]:
    parts = _split(url.strip())
    path = parts.path.lstrip("/") if parts else ""
    above = any(segment in {".", ".."} for segment in unquote(path).split("/"))
    if parts is None or parts.scheme or parts.netloc or not path or above:
        raise InvalidRequest(
            f"'url' must be a path below {connector.base_url}, such as models, not {url!r}.", param="url"
        )
    found = parse_qs(parts.query, keep_blank_values=True)
    query = {name: texts if len(texts) > 1 else texts[0] for name, texts in found.items()}
    return quote(path, safe="/%:@!$&'()*+,;=~-._"), query


def _split(url: str) -> SplitResult | None:
    try:
        return urlsplit(url)
    except ValueError:  # half an IPv6 address
        return None


def _query(values: Mapping[str, Any]) -> Query:
    """The parameters by name; a list is a parameter that comes several times."""
    return {
        name: _several(value) if isinstance(value, list) else _text(value)  # pyright: ignore[reportUnknownArgumentType] - JSON
        for name, value in values.items()
    }


def _several(values: Iterable[Any]) -> list[str]:
    return [_text(value) for value in values]


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if name.strip().lower() in KEPT:
            raise InvalidRequest(f"The header {name} is set by the connection. Leave it out.", param="headers")
        if not NAME.fullmatch(name.strip()) or any(mark in value for mark in "\r\n\0"):
            raise InvalidRequest(f"{name!r} is no header that can be sent.", param="headers")
    return {name.strip().lower(): value for name, value in headers.items()}


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: _text(value) for name, value in values.items()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _body(body: Any) -> Any:
    if not isinstance(body, str):
        return body
    value = parsed_json(body)
    if value is None:
        raise InvalidRequest("'body' must be JSON.", param="body")
    return value
