"""The router that every group uses: one function per operation, and where it listens beside its path."""

import warnings
from collections.abc import Awaitable, Callable, Collection, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi._compat import ModelField
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastapi.routing import APIRoute
from pydantic.warnings import UnsupportedFieldAttributeWarning
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

from smalt.http.body import Body
from smalt.http.call import MOUNTS, Call, Mount, call_of
from smalt.http.interruption import Interruptible
from smalt.http.plan import Plan
from smalt.http.refusals import WrongMethod

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Place:
    """Where an operation listens, whether a key's minute pays for it, and how its body is read."""

    mounts: frozenset[Mount] = MOUNTS
    deployment: bool = False
    metered: bool = False
    streamed: bool = False
    forms: bool = False

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

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        plan = Plan.of(self)
        self.is_planned = plan is not None
        # FastAPI's own handler wants the exit stack of a middleware, which closes uploaded files.
        self.app = self._planned(plan) if plan else AsyncExitStackMiddleware(self.app)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match only where the operation listens."""
        match, child = super().matches(scope)
        if match is not Match.NONE and not self.place.admits(call_of(scope)):
            return Match.NONE, {}
        return match, child

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request whose path matched."""
        if scope["method"] not in self.methods:
            call = call_of(scope)
            raise WrongMethod(call.method, call.path, allowed=_allowed_methods(scope))
        await self.app(scope, receive, send)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of FastAPI, for what a plan cannot do."""
        answer = super().get_route_handler()

        async def operate(request: Request) -> Response:
            return await self._operate(Body(request.scope, request.receive), answer)

        return operate

    async def _operate(self, body: Body, answer: Callable[[Body], Awaitable[Response]]) -> Response:
        """Run the operation with our body, within our patience."""
        field = self.body_field
        if field is not None and self.is_unbuilt:
            _build(field)
            self.is_unbuilt = False
        call = call_of(body.scope)
        call.operation = self.operation_id or self.name
        async with Interruptible(body.scope) as work:
            if field is not None:
                body.takes_forms = self.place.forms
                await body.read(keep_form=self.is_planned)
            if self.place.metered:
                await body.app.state.limits.admit(call, body)
            if self.place.streamed:
                body.listen(work.patient)
            else:
                work.watch(body.receive)
            return await answer(body)

    def _planned(self, plan: Plan) -> ASGIApp:
        """Run a plan with nothing in between: it has no resources to close, and the edge answers its errors."""

        async def operate(scope: Scope, receive: Receive, send: Send) -> None:
            response = await self._operate(Body(scope, receive), plan.run)
            await response(scope, receive, send)

        return operate


class Router(APIRouter):
    """FastAPI's router, whose operations also say on which mounts they are.

    `mounts` leaves some out (or names `outside` for the server's own paths); `deployment=True` puts the operation under
    `/openai/deployments/{deployment}` on classic paths, else it is there under `/openai`; `metered=True` counts it
    against the key's requests and tokens a minute; `streamed=True` leaves the body to the operation, which takes the
    request and goes through `Body.form_parts`; `forms=True` takes a form's fields for those of a JSON object, too.
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
        streamed: bool = False,
        forms: bool = False,
        **options: Any,
    ) -> Callable[[Endpoint], Endpoint]:
        """Register an operation."""
        place = Place(frozenset(mounts), deployment, metered, streamed, forms)

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


def _allowed_methods(scope: Scope) -> list[str]:
    """The methods that a path answers to, over all routes."""
    allowed: set[str] = set()
    for route in scope["app"].routes:
        if isinstance(route, APIRoute) and route.matches(scope)[0] is not Match.NONE:
            allowed.update(route.methods or ())
    return sorted(allowed)
