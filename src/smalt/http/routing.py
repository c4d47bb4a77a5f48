"""The router that every group uses: one function per operation, and where it listens beside its path."""

import warnings
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi._compat import ModelField
from fastapi.routing import APIRoute
from pydantic.warnings import UnsupportedFieldAttributeWarning
from starlette.routing import Match
from starlette.types import Scope

from smalt.http.body import Body
from smalt.http.call import MOUNTS, Call, Mount, call_of
from smalt.http.interruption import Interruptible
from smalt.http.plan import Plan

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Place:
    """Where an operation listens, and whether a key's minute pays for it."""

    mounts: frozenset[Mount] = MOUNTS
    deployment: bool = False
    metered: bool = False

    def admits(self, call: Call) -> bool:
        """Whether a call came in where this operation listens."""
        if call.mount not in self.mounts:
            return False
        return call.mount != "azure_classic" or self.deployment == (call.deployment is not None)


class OperationRoute(APIRoute):
    """One operation: reads its body within the limits, pays for it, and works only while the client listens."""

    place: Place = Place()
    is_unbuilt = True
    """Whether the body's validator is still to be made; schemas are built when they are first needed."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match only where the operation listens."""
        match, child = super().matches(scope)
        if match is not Match.NONE and not self.place.admits(call_of(scope)):
            return Match.NONE, {}
        return match, child

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of FastAPI, with our body and our patience around it."""
        plan = Plan.of(self)
        answer = plan.run if plan else super().get_route_handler()
        field = self.body_field

        async def operate(request: Request) -> Response:
            if field is not None and self.is_unbuilt:
                _build(field)
                self.is_unbuilt = False
            call = call_of(request.scope)
            call.operation = self.operation_id or self.name
            async with Interruptible(request.scope) as work:
                body = Body(request.scope, request.receive)
                if field is not None:
                    await body.read()
                if self.place.metered:
                    await request.app.state.limits.admit(call, body)
                work.watch(request.receive)
                return await answer(body)

        return operate


class Router(APIRouter):
    """FastAPI's router, whose operations also say on which mounts they are.

    `mounts` leaves some out (or names `outside` for the server's own paths); `deployment=True` puts the operation under
    `/openai/deployments/{deployment}` on classic paths, else it is there under `/openai`; `metered=True` counts it
    against the key's requests and tokens a minute.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(route_class=OperationRoute, redirect_slashes=False, **options)

    def operation(
        self,
        method: str,
        path: str,
        *,
        mounts: Collection[Mount] = MOUNTS,
        deployment: bool = False,
        metered: bool = False,
        **options: Any,
    ) -> Callable[[Endpoint], Endpoint]:
        """Register an operation."""
        place = Place(frozenset(mounts), deployment, metered)

        def register(endpoint: Endpoint) -> Endpoint:
            self.add_api_route(path, endpoint, methods=[method], **options)
            route = self.routes[-1]
            assert isinstance(route, OperationRoute)
            route.place = place
            return endpoint

        return register

    def get(self, path: str, **options: Any) -> Callable[[Endpoint], Endpoint]:  # pyright: ignore[reportIncompatibleMethodOverride] - takes more
        """Register a GET operation."""
        return self.operation("GET", path, **options)

    def post(self, path: str, **options: Any) -> Callable[[Endpoint], Endpoint]:  # pyright: ignore[reportIncompatibleMethodOverride] - takes more
        """Register a POST operation."""
        return self.operation("POST", path, **options)

    def delete(self, path: str, **options: Any) -> Callable[[Endpoint], Endpoint]:  # pyright: ignore[reportIncompatibleMethodOverride] - takes more
        """Register a DELETE operation."""
        return self.operation("DELETE", path, **options)


def _build(field: ModelField) -> None:
    """Make a body's validator by using it; FastAPI silences this warning only for those that are made at once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnsupportedFieldAttributeWarning)
        field.validate({}, loc=("body",))


def include(app: FastAPI, router: APIRouter) -> None:
    """Serve a group's operations; FastAPI's own `include_router` would match every path twice."""
    app.router.routes.extend(router.routes)


def allowed_methods(app: FastAPI, scope: Scope) -> list[str]:
    """The methods that a path answers to, over all routes."""
    allowed: set[str] = set()
    for route in app.router.routes:
        if isinstance(route, APIRoute) and route.matches(scope)[0] is not Match.NONE:
            allowed.update(route.methods or ())
    return sorted(allowed)
