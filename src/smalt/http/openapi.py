"""The OpenAPI document of everything served, and the page that shows it without a network."""

from importlib.resources import files
from pathlib import Path
from typing import Any, cast

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import FileResponse, HTMLResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel
from typing_extensions import TypeAliasType

import smalt
from smalt.core.errors import NotFound
from smalt.http.late_routes import settle_all
from smalt.http.routing import OperationRoute, Router
from smalt.schemas.vocabulary import REF_TEMPLATE, component_schemas

DOCUMENT_PATH = "/openai/v1/openapi.json"
DOCS_PATH = "/docs"
ASSETS = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "favicon.png": "image/png"}
SECURITY_SCHEMES: dict[str, Any] = {
    "api-key": {"type": "apiKey", "in": "header", "name": "api-key", "description": "A key of this server."},
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key of this server, or an Entra ID token."},
}
API_VERSION: dict[str, Any] = {
    "name": "api-version",
    "in": "query",
    "required": False,
    "description": "May be left out; both values mean this document.",
    "schema": {"$ref": REF_TEMPLATE.format(model="AzureAIFoundryModelsApiVersion")},
}
FAILURE: dict[str, Any] = {
    "description": "The request failed.",
    "content": {"application/json": {"schema": {"$ref": REF_TEMPLATE.format(model="AzureErrorResponse")}}},
}
FOREIGN_SCHEMAS = ("HTTPValidationError", "ValidationError")

docs_router = Router()


def event_stream_of(chunk: type[BaseModel] | TypeAliasType) -> dict[int | str, dict[str, Any]]:
    """For an operation's `responses`: its answer may also be a stream of these chunks."""
    schema = {"$ref": REF_TEMPLATE.format(model=chunk.__name__)}
    return {200: {"content": {"text/event-stream": {"schema": schema}}}}


def form_of(form: type[BaseModel]) -> dict[str, Any]:
    """For an operation's `openapi_extra`: it reads this form itself, while it arrives."""
    schema = {"$ref": REF_TEMPLATE.format(model=form.__name__)}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """The document of an app, made when it is first asked for."""
    if app.openapi_schema is None:
        app.openapi_schema = _document(app)
    return app.openapi_schema


@docs_router.get(DOCUMENT_PATH, mounts={"outside"}, include_in_schema=False)
def read_document(request: Request) -> Response:
    """Return the OpenAPI document; not a coroutine, since making it would hold up the event loop."""
    return Response(orjson.dumps(openapi_document(request.app)), media_type="application/json")


@docs_router.get(DOCS_PATH, mounts={"outside"}, include_in_schema=False)
async def read_docs() -> HTMLResponse:
    """Return the page on which every operation can be read and tried; it asks for a key itself."""
    return HTMLResponse(files("smalt.http").joinpath("docs_page.html").read_bytes())


@docs_router.get(f"{DOCS_PATH}/{{name}}", mounts={"outside"}, include_in_schema=False)
async def read_docs_asset(name: str) -> FileResponse:
    """Return one of the page's files."""
    if name not in ASSETS:
        raise NotFound(f"The docs page has no file {name}. It has {', '.join(ASSETS)}.")
    folder = Path(str(files("fastapi_offline"))) / "static"
    return FileResponse(folder / name, media_type=ASSETS[name], headers={"Cache-Control": "max-age=86400"})


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title="Smalt",
        version=smalt.__version__,
        summary="The Azure OpenAI API on your own machine.",
        routes=_listed(app),
        servers=[{"url": "/openai/v1"}],
        separate_input_output_schemas=False,
    )
    for path in document["paths"].values():
        for operation in path.values():
            _complete(operation)
    components = document.setdefault("components", {})
    components["schemas"] = _schemas(components.get("schemas", {}))
    components["securitySchemes"] = SECURITY_SCHEMES
    components["parameters"] = {"ApiVersion": API_VERSION}
    document["security"] = [{name: []} for name in SECURITY_SCHEMES]
    return document


def _listed(app: FastAPI) -> list[APIRoute]:
    """The operations of the v1 mount; classic paths and the server's own are described elsewhere."""
    settle_all(app)
    routes = (route for route in app.router.routes if isinstance(route, APIRoute))
    return [one for one in routes if not isinstance(one, OperationRoute) or "azure_v1" in one.place.mounts]


def _complete(operation: dict[str, Any]) -> None:
    """Say what FastAPI cannot know: the version parameter, and how every operation fails."""
    responses: dict[str, Any] = operation["responses"]
    responses.pop("422", None)
    responses["default"] = FAILURE
    operation.setdefault("parameters", []).append({"$ref": "#/components/parameters/ApiVersion"})


def _schemas(mentioned: dict[str, Any]) -> dict[str, Any]:
    """The whole vocabulary, and what else the operations mention."""
    schemas = {**mentioned, **component_schemas()}
    for name in FOREIGN_SCHEMAS:
        schemas.pop(name, None)
    for schema in schemas.values():
        _tidy(schema)
    return dict(sorted(schemas.items()))


def _tidy(schema: Any) -> None:
    """Leave out what tools derive and readers skip: titles made from names, and defaults that are null."""
    if isinstance(schema, list):
        for part in cast("list[Any]", schema):
            _tidy(part)
    elif isinstance(schema, dict):
        _tidy_object(cast("dict[str, Any]", schema))


def _tidy_object(schema: dict[str, Any]) -> None:
    if schema.get("default", ...) is None:
        del schema["default"]
    if isinstance(schema.get("title"), str):
        del schema["title"]
    for key, part in schema.items():
        for child in part.values() if key == "properties" else [part]:
            _tidy(child)
