"""The HTTP client that the SDK's transports use: bounded answers, no environment, and an eye on refusals."""

import logging
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus

import httpx

from smalt import __version__
from smalt.tools.mcp.failures import UNREACHABLE, McpFailure, http_failure
from smalt.tools.mcp.server import McpServer

LONGEST_ANSWER_BYTES = 32 * 2**20
REFUSED = 400

Report = Callable[[McpFailure], None]

# Their lines hold addresses and messages, which may hold secrets; what goes wrong is told by the item.
for library in ("httpx", "httpcore", "mcp"):
    logging.getLogger(library).setLevel(logging.CRITICAL)


def http_client(server: McpServer, connect_seconds: float, report: Report) -> httpx.AsyncClient:
    """A client with the server's headers; `report` hears of refused messages and of answers that broke off."""

    async def look(response: httpx.Response) -> None:
        # Only messages are posted; an endpoint without a stream of its own rightly refuses to be got.
        if response.request.method == "POST" and response.status_code >= REFUSED:
            report(status_failure(response.status_code))

    return httpx.AsyncClient(
        headers={"User-Agent": f"smalt/{__version__}", "Accept-Encoding": "identity", **server.headers},
        # How long an answer may take depends on the message, so whoever waits for it knows.
        timeout=httpx.Timeout(connect_seconds, read=None),
        transport=_Transport(report),
        event_hooks={"response": [look]},
        trust_env=False,
        follow_redirects=False,
    )


def status_failure(status: int) -> McpFailure:
    """What a status of a server means."""
    phrase = HTTPStatus(status).phrase if status in HTTPStatus.__members__.values() else ""
    return http_failure(status, f"The MCP server answered with status {status} {phrase}".rstrip() + ".")


class _Transport(httpx.AsyncHTTPTransport):
    """Sends requests; answers come whole within a limit, or break off and say so."""

    def __init__(self, report: Report) -> None:
        super().__init__()
        self._report = report

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        response = await super().handle_async_request(request)
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            # A small packed answer may be a huge one.
            await response.aclose()
            raise httpx.DecodingError("The answer is packed, which was not asked for.", request=request)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        # The transports of the SDK keep quiet about an answer to a message that breaks off.
        report = self._report if request.method == "POST" else None
        response.stream = _Bounded(response.stream, report)
        return response


class _Bounded(httpx.AsyncByteStream):
    """A body that is cut off when it is too long."""

    def __init__(self, stream: httpx.AsyncByteStream, report: Report | None) -> None:
        self._stream = stream
        self._report = report

    async def __aiter__(self) -> AsyncIterator[bytes]:
        received = 0
        try:
            async for piece in self._stream:
                received += len(piece)
                if received > LONGEST_ANSWER_BYTES:
                    raise httpx.ReadError(f"The answer has more than {LONGEST_ANSWER_BYTES} bytes.")
                yield piece
        except httpx.TransportError as error:
            if self._report is not None:
                self._report(http_failure(UNREACHABLE, f"The MCP server's answer broke off: {error}"))
            raise

    async def aclose(self) -> None:
        """Let go of the connection."""
        await self._stream.aclose()
