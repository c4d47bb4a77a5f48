"""The server as an ASGI app, over the rooms that it opens."""

import asyncio
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.types import ASGIApp

from smalt.app.opening import open_rooms
from smalt.core.settings import Settings, load_settings
from smalt.http import health
from smalt.http.authentication import Authentication, TokenSource
from smalt.http.edge import Edge
from smalt.http.interruption import Stopping
from smalt.http.late_routes import LateRoutes, settle_all
from smalt.http.limits import open_limits
from smalt.http.logging import configure
from smalt.http.metrics import Metrics
from smalt.http.routing import include
from smalt.http.usage import UsageMeter
from smalt.store.keys import Keys
from smalt.store.usage import UsageRecorder

if TYPE_CHECKING:
    from smalt.models import Models

GROUPS = ("api.chat", "api.completions", "api.embeddings", "api.models")
"""The groups of operations that are ready with the server; each has its router in `smalt.GROUP.routes`."""

LATE_GROUPS = {
    "api.audio": "/audio",
    "api.containers": "/containers",
    "api.conversations": "/conversations",
    "api.edits": "/edits",
    "api.files": "/files",
    "api.moderations": "/moderations",
    "api.responses": "/responses",
    "api.search_service": "/indexes",
    "api.uploads": "/uploads",
    "api.vector_stores": "/vector_stores",
    "connectors.facade": "/connectors",
}
"""The groups that are imported by the first call to one of their paths, or `WARM_SECONDS` after the start."""

WARM_SECONDS = 2.0

NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
"""Smalt counts for itself; FastAPI would look on every request whether somebody has set up OpenTelemetry."""

HOST_SOCKET_VARIABLE = "SMALT_RUN_HOST_SOCKET"
"""Where `smalt serve` tells its API processes how to reach the engine host."""


class Server(FastAPI):
    """FastAPI with the edge as the one layer around its router."""

    def build_middleware_stack(self) -> ASGIApp:
        """The edge alone: it knows every error, so the layers that FastAPI has for them would only cost time."""
        return Edge(self.router)


def create_app(
    settings: Settings,
    *,
    host_socket: str | None = None,
    models: "Models | None" = None,
    routers: Sequence[APIRouter] | None = None,
) -> FastAPI:
    """The server as an ASGI app; its lifespan opens and closes everything it uses.

    `host_socket` is the engine host's; without one only engines that need no worker can serve. Tests may bring models
    (which they close themselves) and routers of their own.
    """
    app = Server(
        title="Smalt",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=NO_TELEMETRY,
        lifespan=_lifespan,
    )
    app.state.settings = settings
    app.state.host_socket = host_socket
    app.state.models = models
    app.state.stopping = Stopping()
    app.state.metrics = Metrics(settings)
    app.state.limits = open_limits(settings)
    for router in [*(_routers() if routers is None else routers), health.router]:
        include(app, router)
    if routers is None:
        for group, prefix in LATE_GROUPS.items():
            app.router.routes.append(LateRoutes(app, prefix, partial(_router, group)))
    return app


def app_from_environment() -> FastAPI:
    """The app of one API process among several, as its parent's environment describes it."""
    settings = load_settings()
    configure(settings.log)
    return create_app(settings, host_socket=os.environ.get(HOST_SOCKET_VARIABLE))


def _routers() -> list[APIRouter]:
    from smalt.http.openapi import docs_router

    return [*(_router(group) for group in GROUPS), docs_router]


def _router(group: str) -> APIRouter:
    return import_module(f"smalt.{group}.routes").router


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    state = app.state
    settings: Settings = state.settings
    async with AsyncExitStack() as stack:
        rooms = await open_rooms(settings, stack, host_socket=state.host_socket, models=state.models)
        state.rooms = rooms
        state.host, state.database, state.models = rooms.host, rooms.database, rooms.models
        state.content_filter = rooms.content_filter
        await state.content_filter.check_blocklists()
        state.usage = await stack.enter_async_context(UsageRecorder(state.database))
        state.keys = Keys(state.database)
        state.authentication = Authentication(settings.auth, state.keys, _tokens(settings))
        state.meters = (state.limits, UsageMeter(state.usage), state.metrics)
        stack.callback(state.limits.close)
        warming = asyncio.create_task(_warm(app))
        stack.callback(warming.cancel)
        yield


async def _warm(app: FastAPI) -> None:
    """Import what is still to come while nobody waits for it."""
    await asyncio.sleep(WARM_SECONDS)
    for group in LATE_GROUPS:
        await asyncio.to_thread(_router, group)
    settle_all(app)


def _tokens(settings: Settings) -> TokenSource | None:
    if settings.auth.issuer is None:
        return None
    # Its HTTP client is slow to import, and most servers have no issuer.
    from smalt.http.openid import Tokens

    return Tokens(settings.auth)
