"""Brings calls to this very server without a network, on behalf of the one who asked."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote, urlencode

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope

from smalt.connectors.exchange import Answer, OutgoingCall
from smalt.connectors.forms import multipart

PASSED_ON: Final = frozenset({b"authorization", b"api-key", b"host", b"x-ms-client-request-id"})
"""The headers that the server's own operation sees as they came: who asks, and under which name."""

Headers = list[tuple[bytes, bytes]]


class InProcess:
    """Calls the app as its clients do, so that keys, limits, filters and usage are the operation's own.

    `mount` is what stands before paths; `receive` tells when the client of the request in `scope` leaves.
    """

    def __init__(self, app: ASGIApp, scope: Scope, receive: Receive, mount: str) -> None:
        self._app = app
        self._outer = scope
        self._receive = receive
        self._mount = mount

    async def send(self, call: OutgoingCall, *, idempotency_key: str | None = None) -> Answer:
        """The server's answer, whatever its status; the facade's own requests are those that are answered once."""
        del idempotency_key
        body, content_type = _written(call)
        response = _Response()
        await self._app(self._scope(call, body, content_type), self._received(body), response)
        return response.answer()

    def _scope(self, call: OutgoingCall, body: bytes, content_type: str) -> Scope:
        headers: Headers = [pair for pair in self._outer["headers"] if pair[0] in PASSED_ON]
        headers += [(name.lower().encode(), value.encode()) for name, value in call.headers.items()]
        if content_type:
            headers.append((b"content-type", content_type.encode()))
        headers.append((b"content-length", str(len(body)).encode()))
        raw = f"{self._mount}/{call.path.lstrip('/')}"
        kept = {name: self._outer[name] for name in ("type", "asgi", "http_version", "scheme", "server", "client")}
        return {
            **kept,
            "method": call.method,
            "path": unquote(raw),
            "raw_path": raw.encode(),
            "root_path": "",
            "query_string": urlencode(call.query, doseq=True, quote_via=quote).encode(),
            "headers": headers,
            "state": {},
        }

    def _received(self, body: bytes) -> Receive:
        messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            return messages.pop() if messages else await self._receive()

        return receive


class _Response:
    """Takes in an answer."""

    def __init__(self) -> None:
        self._status = 0
        self._headers: Mapping[str, str] = {}
        self._content: list[bytes] = []

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = {
                name.decode("latin-1").lower(): value.decode("latin-1") for name, value in message["headers"]
            }
        else:
            self._content.append(message.get("body", b""))

    def answer(self) -> Answer:
        return Answer(self._status, self._headers, b"".join(self._content))


def _written(call: OutgoingCall) -> tuple[bytes, str]:
    """The body's bytes, and its content type unless the call has one of its own."""
    if call.is_form:
        return multipart(call.fields, call.files)
    if call.body is None:
        return b"", ""
    has_type = any(name.lower() == "content-type" for name in call.headers)
    return orjson.dumps(call.body), "" if has_type else "application/json"
