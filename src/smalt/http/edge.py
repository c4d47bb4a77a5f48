"""The one layer between the server and the operations: who calls, by which mount, and what came of it."""

from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from smalt.http import search_service
from smalt.http.call import Call
from smalt.http.errors import CLIENT_CLOSED_REQUEST, answer
from smalt.http.idempotency import answer_once, asks_once
from smalt.http.logging import log_request
from smalt.http.mounts import require_served_version, understand

OPENAI_VERSION = (b"openai-version", b"2020-10-01")
NO_SNIFFING = (b"x-content-type-options", b"nosniff")


class Edge:
    """Raw ASGI, so that a chunk of a stream costs next to nothing here."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; the lifespan goes through."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008, "reason": "Nothing speaks WebSocket here."})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope["app"].state
        call, path = understand(scope)
        call.meters = state.meters
        scope.setdefault("state", {})["call"] = call
        sender = Sender(call, send, scope)
        state.metrics.begin()
        try:
            call.caller = await state.authentication.caller_of(call, scope["headers"])
            require_served_version(call)
            inner = {**scope, "path": path, "raw_path": path.encode(), "root_path": ""}
            if asks_once(call, scope["headers"]):
                await answer_once(self._app, inner, receive, sender)
            else:
                await self._app(inner, receive, sender)
        except Exception as error:
            if sender.status is not None:
                # Half an answer is out: closing the connection is the only way left to say that it failed.
                raise
            await answer(error, call)(scope, receive, sender)
        finally:
            status = sender.status or CLIENT_CLOSED_REQUEST
            state.limits.release(call)
            state.metrics.end(call, status)
            log_request(call, status)


class Sender:
    """Passes messages on, adding the headers that every answer of a mount has."""

    def __init__(self, call: Call, send: Send, scope: Scope) -> None:
        self._call = call
        self._send = send
        self._scope = scope
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        """Pass one message on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], *self._headers()]
        await self._send(message)

    def _headers(self) -> list[tuple[bytes, bytes]]:
        call = self._call
        request_id = call.request_id.encode()
        headers = [(b"x-request-id", request_id), NO_SNIFFING, *call.response_headers]
        if call.is_azure:
            headers.append((b"apim-request-id", request_id))
            headers += [pair for pair in self._scope["headers"] if pair[0] == b"x-ms-client-request-id"]
            if call.deployment and call.deployment.isascii() and call.deployment.isprintable():
                headers.append((b"x-ms-deployment-name", call.deployment.encode()))
        elif call.mount == "search":
            headers += search_service.headers(call, self._scope["headers"])
        elif call.mount == "openai_v1":
            spent = int((perf_counter() - call.started_at) * 1000)
            headers += [OPENAI_VERSION, (b"openai-processing-ms", str(spent).encode())]
        return headers
