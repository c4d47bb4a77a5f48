"""Every door of the whole app: which mounts an operation is on, and that each needs a key."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from smalt.app import create_app
from smalt.core.settings import load_settings
from smalt.http.authentication import OPEN_PATHS
from smalt.http.call import Mount
from smalt.http.late_routes import settle_all
from smalt.http.routing import OperationRoute

PREFIXES: dict[Mount, str] = {
    "azure_v1": "/openai/v1",
    "openai_v1": "/v1",
    "azure_classic": "/openai",
    "outside": "",
}
OWN_MOUNTS = {"indexes": "search", "connectors": "connectors"}
"""The first names of paths that are mounts of their own."""


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[FastAPI]:
    settings = load_settings(data_dir=tmp_path, starter=False, deployments={"echo": {"engine": "echo"}})
    made = create_app(settings)
    settle_all(made)
    async with made.router.lifespan_context(made):
        yield made


@pytest.fixture
async def stranger(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://localhost") as client:
        yield client


def routes(app: FastAPI) -> list[OperationRoute]:
    found = [route for route in app.router.routes if isinstance(route, OperationRoute)]
    assert len(found) == len(app.router.routes), "every route is an operation of our own router"
    return found


def doors(route: APIRoute) -> list[tuple[str, str]]:
    """Every method and URL at which somebody might try a route, on mounts it is on and on others."""
    path = re.sub(r"\{[^}]+\}", "some", route.path)
    paths = [f"{prefix}{path}" for prefix in PREFIXES.values()]
    paths += [f"/openai/deployments/echo{path}"]
    urls = [url for path in paths for url in (path, f"{path}?api-version=2024-10-21")]
    methods = {*(route.methods or ()), "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"}
    return [(method, url) for method in methods for url in urls]


async def test_no_route_answers_without_a_key_but_the_allow_listed(app: FastAPI, stranger: httpx2.AsyncClient) -> None:
    # Routes that share a path share their doors.
    closed = {door for route in routes(app) for door in doors(route) if door[1].partition("?")[0] not in OPEN_PATHS}
    assert len(closed) > 100
    for method, url in sorted(closed):
        for headers in ({}, {"api-key": "wrong"}, {"authorization": "Bearer wrong"}):
            response = await stranger.request(method, url, headers=headers, json={})
            refusals = {401, 403} if url.startswith("/indexes") else {401}
            assert response.status_code in refusals, f"{method} {url} answered {response.status_code}"


async def test_the_allow_list_holds_no_operation_of_the_api(app: FastAPI) -> None:
    for route in routes(app):
        if route.path in OPEN_PATHS:
            assert route.place.mounts == {"outside"}
    assert {"/health", "/ready"} <= OPEN_PATHS
    assert all(path in {"/health", "/ready"} or path.startswith("/docs") for path in OPEN_PATHS)


async def test_nothing_but_the_allow_list_is_open_anywhere(stranger: httpx2.AsyncClient) -> None:
    for path in ("/", "//", "/health/", "/health/x", "/HEALTH", "/x", "/openapi.json", "/redoc", "/openai/v1", "/v1/"):
        assert (await stranger.get(path)).status_code == 401, path
    assert (await stranger.get("/v1/../health")).status_code in {200, 401}  # httpx2 itself may shorten the path


async def test_health_and_readiness_need_no_key(stranger: httpx2.AsyncClient) -> None:
    assert (await stranger.get("/health")).json() == {"status": "ok"}
    assert (await stranger.get("/ready")).json()["status"] == "ready"


async def test_every_operation_is_served_on_the_mounts_it_declares_and_on_no_other(app: FastAPI) -> None:
    _, secret = await app.state.keys.create("walker", "default")
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://localhost", headers={"api-key": secret}
    ) as client:
        for route in routes(app):
            for mount, prefix in PREFIXES.items():
                method = next(iter(route.methods or ()))
                path = re.sub(r"\{[^}]+\}", "some", route.path)
                if mount == "azure_classic" and route.place.deployment:
                    prefix = "/openai/deployments/echo"  # noqa: PLW2901 - the same mount's other half
                version = "?api-version=2024-10-21" if mount == "azure_classic" else ""
                response = await client.request(method, f"{prefix}{path}{version}", json={})
                is_refused = "Invalid URL" in response.text or "Not allowed to" in response.text
                entered = OWN_MOUNTS.get(path.split("/")[1], mount) if mount == "outside" else mount
                assert is_refused == (entered not in route.place.mounts), f"{method} {prefix}{path} {response.text}"


async def test_operation_ids_are_unique_and_never_missing(app: FastAPI) -> None:
    ids = [route.operation_id for route in routes(app) if route.include_in_schema]
    assert None not in ids
    assert len(ids) == len(set(ids))
