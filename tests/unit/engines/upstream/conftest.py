"""A small server that speaks OpenAI's wire as a test tells it to."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from smalt.engines.protocols import Deployment
from smalt.engines.upstream import UpstreamEngine

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
KEY = "sk-very-secret-key"


@dataclass
class Stub:
    """What came in, and what goes out: each request takes the next handler, the last one stays."""

    url: str = ""
    handlers: list[Handler] = field(default_factory=list)
    requests: list[web.Request] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    peers: set[Any] = field(default_factory=set)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await body_of(request))
        self.peers.add(request.transport.get_extra_info("peername"))
        handler = self.handlers.pop(0) if len(self.handlers) > 1 else self.handlers[0]
        return await handler(request)


async def body_of(request: web.Request) -> Any:
    """The JSON that came in; of a form, every field with its value, or with a file's name and content."""
    if request.content_type == "application/json":
        return await request.json()
    fields: list[tuple[str, Any]] = []
    for name, value in (await request.post()).items():
        fields.append((name, (value.filename, value.file.read()) if isinstance(value, web.FileField) else value))
    return fields


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    stub = Stub()
    app = web.Application()
    app.router.add_post("/{tail:.*}", stub.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    stub.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield stub
    await runner.cleanup()


Open = Callable[..., UpstreamEngine]


@pytest.fixture
async def open_engine(stub: Stub) -> AsyncIterator[Open]:
    engines: list[UpstreamEngine] = []

    def open_engine(**options: Any) -> UpstreamEngine:
        settings = {"base_url": stub.url, "api_key": SecretStr(KEY), "retry_seconds": 0.05, **options}
        engines.append(UpstreamEngine(Deployment("far", "upstream", "their-name", frozenset(), options=settings)))
        return engines[-1]

    yield open_engine
    for engine in engines:
        await engine.close()
