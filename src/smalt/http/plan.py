"""Runs a plain operation (a JSON body, the request, async dependencies) without FastAPI's general solver.

FastAPI's takes a tenth of a millisecond for a handful of dependencies, which is a tenth of what a passed-on request may
cost. What an operation declares, and what it is answered with, stays the same.
"""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Self, get_type_hints

import orjson
from fastapi import Response
from fastapi._compat import ModelField
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.params import Form
from fastapi.routing import APIRoute

from smalt.core.errors import InvalidRequest
from smalt.http.body import Body

NOT_PLAIN = ("path_params", "query_params", "header_params", "cookie_params")
NOT_GIVEN = (
    "websocket_param_name",
    "http_connection_param_name",
    "response_param_name",
    "background_tasks_param_name",
    "security_scopes_param_name",
)
Done = dict[Callable[..., Any], Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One function to call, and what to call it with."""

    call: Callable[..., Awaitable[Any]]
    request_name: str | None
    needs: "tuple[tuple[str, Step], ...]"

    async def run(self, request: Body, done: Done, **values: Any) -> Any:
        """The function's result; a function that is asked for twice is called once."""
        if self.call in done:
            return done[self.call]
        if self.request_name is not None:
            values[self.request_name] = request
        for name, step in self.needs:
            values[name] = await step.run(request, done)
        done[self.call] = result = await self.call(**values)
        return result


@dataclass(frozen=True, slots=True)
class Plan:
    """How to run one operation."""

    operation: Step
    body: ModelField
    body_name: str

    @classmethod
    def of(cls, route: APIRoute) -> Self | None:
        """The plan of a route, or None when it asks for more than a plan can give."""
        dependant, body = route.dependant, route.body_field
        parts = dependant.body_params
        if body is None or len(parts) != 1 or parts[0].field_info is not body.field_info:
            return None
        if isinstance(body.field_info, Form) or not body.field_info.is_required():
            return None
        operation = _step(dependant) if _answers_itself(route.endpoint) else None
        return operation and cls(operation, body, parts[0].name)

    async def run(self, request: Body) -> Response:
        """Check the body and run the operation."""
        value = await _value(request)
        checked, errors = self.body.validate(value, loc=("body",))
        if errors:
            raise RequestValidationError(errors, body=value)
        return await self.operation.run(request, {}, **{self.body_name: checked})


def _answers_itself(endpoint: Callable[..., Any]) -> bool:
    """Whether an operation says that it returns a response, so that nothing is left to serialise."""
    try:
        answer = get_type_hints(endpoint).get("return")
    except NameError:
        return False
    return inspect.isclass(answer) and issubclass(answer, Response)


def _step(dependant: Dependant) -> Step | None:
    if any(getattr(dependant, name) for name in (*NOT_PLAIN, *NOT_GIVEN)) or not dependant.use_cache:
        return None
    if not inspect.iscoroutinefunction(dependant.call):
        return None
    needs: list[tuple[str, Step]] = []
    for needed in dependant.dependencies:
        step = _step(needed) if needed.name is not None and not needed.body_params else None
        if step is None or needed.name is None:
            return None
        needs.append((needed.name, step))
    return Step(dependant.call, dependant.request_param_name, tuple(needs))


async def _value(request: Body) -> Any:
    if not await request.body():
        raise RequestValidationError([{"type": "missing", "loc": ("body",), "input": None}])
    if not request.is_json:
        raise InvalidRequest("The body must be a JSON object sent with the header Content-Type: application/json.")
    try:
        return await request.json()
    except orjson.JSONDecodeError as error:
        found = {"type": "json_invalid", "loc": ("body", error.pos), "input": {}, "ctx": {"error": error.msg}}
        raise RequestValidationError([found]) from error
