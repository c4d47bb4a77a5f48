"""A server that is wrong, slow, broken or not there makes a failed item, soon, and without secrets."""

import asyncio
import gzip
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from loopback import web_service
from mcp_servers import harbour
from smalt.api.responses.writer import ResponseWriter
from smalt.core.settings import McpSettings
from smalt.schemas.vocabulary import check_answer
from smalt.tools.mcp import McpClients, McpTool

Json = dict[str, Any]
SECRET = "sesame-street"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def clients() -> AsyncIterator[McpClients]:
    clients = McpClients(McpSettings(connect_seconds=2, call_seconds=2))
    yield clients
    await clients.close()


class Attempt:
    """A response of a request that names a server."""

    def __init__(self, clients: McpClients, url: str) -> None:
        self.events: list[Json] = []
        beginning = {"id": f"resp_{0:050x}", "status": "in_progress", "output": []}
        self.writer = ResponseWriter(beginning, self.events.append)
        self.tool = McpTool(
            clients,
            {
                "type": "mcp",
                "server_label": "harbour",
                "server_url": url,
                "headers": {"X-Key": SECRET},
                "require_approval": "never",
            },
        )

    async def listed(self) -> Json:
        """The list of tools."""
        await self.tool.prepare(self.writer, [])
        return self.writer.items[0]

    async def called(self, name: str, arguments: Json) -> Json:
        """A call, in a response that has listed the tools."""
        call = self.tool.begin(name, self.writer)
        call.add(json.dumps(arguments))
        outcome = await call.run()
        assert call.item is not None
        call.item.end(**outcome.item)
        return self.writer.items[-1]


def answering(methods: dict[str, Any], *, status: int = 200) -> Handler:
    """A server that answers each method with a result, or with whatever a function of the request makes."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.method != "POST":
            return web.Response(status=405)
        message = await request.json()
        if "id" not in message:
            return web.Response(status=202)
        result = methods[message["method"]]
        if callable(result):
            return await result(request, message)
        key = "error" if "code" in result else "result"
        return web.json_response({"jsonrpc": "2.0", "id": message["id"], key: result}, status=status)

    return answer


HELLO: Json = {
    "initialize": {
        "protocolVersion": "2025-06-18",
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "s", "version": "1"},
    },
    "tools/list": {"tools": [{"name": "tide", "inputSchema": {"type": "object"}}]},
}


def always(status: int, text: str = "", **fields: Any) -> Handler:
    """A server that answers everything with the same."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text, **fields)

    return answer


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 429, 500, 503])
async def test_a_refusal_is_told_with_its_status(clients: McpClients, status: int):
    with web_service(always(status, f"{SECRET} is wrong")) as base:
        attempt = Attempt(clients, f"{base}/mcp")
        item = await attempt.listed()
    check_answer("MCPListToolsItemResource", item)
    assert item["error"].startswith(f"The MCP server answered with status {status} ")
    assert item["tools"] == []
    assert attempt.tool.functions() == []
    assert [event["type"] for event in attempt.events[-2:]] == [
        "response.mcp_list_tools.failed",
        "response.output_item.done",
    ]
    assert SECRET not in str(attempt.events)


async def test_a_server_that_is_not_there_is_told(clients: McpClients, unused_tcp_port: int):
    item = await Attempt(clients, f"http://127.0.0.1:{unused_tcp_port}/mcp?key={SECRET}").listed()
    assert item["error"] == "The MCP server cannot be reached (ConnectError)."


@pytest.mark.parametrize(
    "answer",
    [
        always(200, "<html>", content_type="text/html"),
        always(200, "{", content_type="application/json"),
        always(200, "[]", content_type="application/json"),
    ],
    ids=["page", "half", "list"],
)
async def test_a_server_of_something_else_is_told(clients: McpClients, answer: Handler):
    with web_service(answer) as base:
        item = await asyncio.wait_for(Attempt(clients, f"{base}/mcp").listed(), 1.5)
    assert item["error"] == "The MCP server's answer could not be read."


async def test_a_redirect_to_another_host_is_not_followed(clients: McpClients):
    headers_elsewhere: list[str] = []

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        headers_elsewhere.append(request.headers.get("X-Key", ""))
        return web.Response(status=500)

    with web_service(elsewhere) as other, web_service(always(307, headers={"Location": f"{other}/mcp"})) as base:
        item = await Attempt(clients, f"{base}/mcp").listed()
    assert item["error"] == "The MCP server answered with status 307 Temporary Redirect."
    assert headers_elsewhere == []


async def test_a_server_that_says_no_is_quoted_without_the_secret(clients: McpClients):
    refusal = {"code": -32001, "message": f"the key {SECRET} has expired"}
    with web_service(answering({**HELLO, "tools/list": refusal})) as base:
        item = await Attempt(clients, f"{base}/mcp").listed()
    assert item["error"] == "the key *** has expired"


async def test_a_slow_server_is_not_waited_for(clients: McpClients):
    async def slow(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    clients.settings.connect_seconds = 0.3
    with web_service(slow) as base:
        item = await asyncio.wait_for(Attempt(clients, f"{base}/mcp").listed(), 5)
    assert item["error"] == "The MCP server did not answer within 0.3 seconds."


async def test_a_slow_tool_fails_and_the_next_call_works(clients: McpClients):
    clients.settings.call_seconds = 0.3
    with harbour() as server:
        attempt = Attempt(clients, server.url)
        await attempt.listed()
        slow = await attempt.called("wait", {"seconds": 20})
        assert slow["error"] == {
            "type": "http_error",
            "code": 504,
            "message": "The MCP server did not answer within 0.3 seconds.",
        }
        clients.settings.call_seconds = 10
        assert (await attempt.called("tide", {"port": "Kiel"}))["output"] == "Kiel: 3.2 m at 12:00"
        await attempt.tool.close()


@pytest.mark.parametrize("kind", ["sse", "json"])
async def test_an_answer_that_breaks_off_is_told_at_once(clients: McpClients, kind: str):
    async def broken(request: web.Request, _message: Json) -> web.StreamResponse:
        types = {"sse": "text/event-stream", "json": "application/json"}
        response = web.StreamResponse(headers={"Content-Type": types[kind], "Content-Length": "99999"})
        await response.prepare(request)
        await response.write(b"event: message\n" if kind == "sse" else b'{"jsonrpc"')
        assert request.transport is not None
        request.transport.close()
        return response

    with web_service(answering({**HELLO, "tools/call": broken})) as base:
        attempt = Attempt(clients, f"{base}/mcp")
        await attempt.listed()
        item = await asyncio.wait_for(attempt.called("tide", {}), 1.5)
        await attempt.tool.close()
    check_answer("MCPCallItemResource", item)
    assert item["status"] == "failed"
    assert item["error"]["code"] == 502
    assert item["error"]["message"].startswith("The MCP server's answer broke off")


async def test_an_answer_without_end_is_cut_off(clients: McpClients):
    async def endless(request: web.Request, _message: Json) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        while True:
            await response.write(b" " * 2**20)

    clients.settings.call_seconds = 60
    with web_service(answering({**HELLO, "tools/call": endless})) as base:
        attempt = Attempt(clients, f"{base}/mcp")
        await attempt.listed()
        item = await attempt.called("tide", {})
        await attempt.tool.close()
    assert "more than 33554432 bytes" in item["error"]["message"]


async def test_a_packed_answer_is_not_unpacked(clients: McpClients):
    async def bomb(_request: web.Request, _message: Json) -> web.StreamResponse:
        body = gzip.compress(b" " * 2**20)
        return web.Response(body=body, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})

    with web_service(answering({**HELLO, "tools/call": bomb})) as base:
        attempt = Attempt(clients, f"{base}/mcp")
        await attempt.listed()
        item = await asyncio.wait_for(attempt.called("tide", {}), 1.5)
        await attempt.tool.close()
    assert item["error"]["message"] == "The MCP server's answer is packed, which was not asked for."


async def test_a_session_that_the_server_forgot_is_begun_again(clients: McpClients):
    forgetful = {"left": 1}

    async def once(_request: web.Request, message: Json) -> web.StreamResponse:
        forgetful["left"] -= 1
        if forgetful["left"] < 0:
            result = {"content": [{"type": "text", "text": "high"}]}
            return web.json_response({"jsonrpc": "2.0", "id": message["id"], "result": result})
        return web.Response(status=404)

    with web_service(answering({**HELLO, "tools/call": once})) as base:
        attempt = Attempt(clients, f"{base}/mcp")
        await attempt.listed()
        first, second = [await attempt.called("tide", {}) for _ in range(2)]
        await attempt.tool.close()
    assert first["error"]["code"] == 404
    assert second["output"] == "high"


async def test_a_server_with_many_pages_of_tools_is_read_to_the_end(clients: McpClients):
    async def page(_request: web.Request, message: Json) -> web.StreamResponse:
        number = int((message.get("params") or {}).get("cursor", 0))
        result: Json = {"tools": [{"name": f"tool_{number}", "inputSchema": {"$schema": "x", "type": "object"}}]}
        if number < 4:
            result["nextCursor"] = str(number + 1)
        return web.json_response({"jsonrpc": "2.0", "id": message["id"], "result": result})

    with web_service(answering({**HELLO, "tools/list": page})) as base:
        attempt = Attempt(clients, f"{base}/mcp")
        item = await attempt.listed()
        await attempt.tool.close()
    assert [tool["name"] for tool in item["tools"]] == [f"tool_{number}" for number in range(5)]
    assert attempt.tool.functions()[0].parameters == {"type": "object"}


async def test_a_structured_result_without_text_is_told_as_json(clients: McpClients):
    result = {"content": [], "structuredContent": {"metres": 3}}
    with web_service(answering({**HELLO, "tools/call": result})) as base:
        attempt = Attempt(clients, f"{base}/mcp")
        await attempt.listed()
        item = await attempt.called("tide", {})
        await attempt.tool.close()
    assert item["output"] == '{"metres":3}'


async def test_a_call_can_be_cancelled_while_it_runs(clients: McpClients):
    clients.settings.call_seconds = 60
    with harbour() as server:
        attempt = Attempt(clients, server.url)
        await attempt.listed()
        calling = asyncio.create_task(attempt.called("wait", {"seconds": 60}))
        while server.asked("tools/call") == 0:  # noqa: ASYNC110 - it happens in another thread
            await asyncio.sleep(0.01)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(calling, 5)
        await asyncio.wait_for(attempt.tool.close(), 5)


async def test_nothing_of_a_server_is_logged(clients: McpClients, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    with harbour() as server:
        attempt = Attempt(clients, f"{server.url}?key={SECRET}")
        await attempt.listed()
        await attempt.called("tide", {"port": "Kiel"})
        await attempt.tool.close()
        await Attempt(clients, f"{server.url}/nowhere?key={SECRET}").listed()
    assert SECRET not in caplog.text
