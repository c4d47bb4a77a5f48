"""Tells whether the server lives, whether it can serve, and how it does: for load balancers and Prometheus."""

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from typing import Any, Protocol

import sqlalchemy as sa
from fastapi import Request, Response

from smalt.http.answers import Json
from smalt.http.metrics import CONTENT_TYPE
from smalt.http.routing import Router
from smalt.store.database import Database

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 2.0

router = Router(include_in_schema=False)


class WorkerStatuses(Protocol):
    """Knows the engine workers."""

    async def status(self) -> Sequence[Any]:
        """The state of each worker."""
        ...


@router.get("/health", operation_id="getHealth", mounts={"outside"})
async def get_health() -> Json:
    """Say that the process lives and answers."""
    return Json({"status": "ok"})


@router.get("/ready", operation_id="getReadiness", mounts={"outside"})
async def get_readiness(request: Request) -> Json:
    """Say whether requests can be served: not stopping, database open, engine host within reach."""
    state = request.app.state
    checks = {"server": not state.stopping.is_stopping, "database": await _works("database", _ask_database(state))}
    if state.host is not None:
        checks["engine_host"] = await _works("engine host", state.host.status())
    ready = all(checks.values())
    words = {name: "ok" if works else "failing" for name, works in checks.items()}
    return Json({"status": "ready" if ready else "not ready", "checks": words}, 200 if ready else 503)


@router.get("/metrics", operation_id="getMetrics", mounts={"outside"})
async def get_metrics(request: Request) -> Response:
    """All counts, as Prometheus reads them."""
    state = request.app.state
    page = state.metrics.page(await _workers(state.host))
    return Response(page, headers={"content-type": CONTENT_TYPE})


async def _ask_database(state: Any) -> None:
    database: Database = state.database
    await database.read(lambda connection: connection.scalar(sa.text("SELECT 1")))


async def _works(name: str, question: Awaitable[Any]) -> bool:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await question
    except Exception:  # readiness must answer whatever is broken
        logger.exception("not ready", extra={"check": name})
        return False
    return True


async def _workers(host: WorkerStatuses | None) -> Sequence[Any]:
    if host is None:
        return ()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await host.status()
    except Exception:  # the other counts are worth having without it
        logger.exception("worker states unknown")
        return ()
