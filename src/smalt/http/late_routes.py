"""Routes that are not imported before somebody calls them, so that a server with many is ready as soon as with few."""

from collections.abc import Callable

from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send


class LateRoutes(BaseRoute):
    """Stands for the routes of one group, whose paths all begin with `prefix`, until the first call to one of them."""

    def __init__(self, app: FastAPI, prefix: str, load: Callable[[], APIRouter]) -> None:
        self._app = app
        self._prefix = prefix
        self._load = load

    def settle(self) -> list[BaseRoute]:
        """Import the group and put its routes in this one's place; returns them."""
        loaded = list(self._load().routes)
        # A new list, because the router may be walking along the present one.
        routes = self._app.router.routes
        self._app.router.routes = [one for route in routes for one in (loaded if route is self else [route])]
        return loaded

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match as the group's routes do; this first call finds the one that serves it."""
        if not scope["path"].startswith(self._prefix):
            return Match.NONE, {}
        tried = [(route, *route.matches(scope)) for route in self.settle()]
        for wanted in (Match.FULL, Match.PARTIAL):
            for route, match, child in tried:
                if match is wanted:
                    return match, {**child, "late_route": route}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the route that matched answer."""
        await scope["late_route"].handle(scope, receive, send)


def settle_all(app: FastAPI) -> None:
    """Import every group that is still to come, for those who want to see all routes."""
    for route in list(app.router.routes):
        if isinstance(route, LateRoutes):
            route.settle()
