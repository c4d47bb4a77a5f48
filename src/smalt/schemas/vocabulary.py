"""Every schema of the wire by its name, whether an operation mentions it or not."""

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode
from typing_extensions import TypeAliasType

import smalt.schemas
from smalt.schemas.wire import Body, Request, Wire

REF_TEMPLATE = "#/components/schemas/{model}"


@cache
def vocabulary() -> dict[str, Any]:
    """All models and named types of this room; two that share a name are a mistake."""
    found: dict[str, Any] = {}
    for module in _modules():
        for name, value in vars(module).items():
            if not _is_schema(value) or value.__name__ != name:
                continue
            if found.setdefault(name, value) is not value:
                raise TypeError(f"Two schemas are called {name}; rename the one in {module.__name__}.")
    return dict(sorted(found.items()))


@cache
def adapter(name: str) -> TypeAdapter[Any]:
    """What validates values of the schema with this name; raises KeyError for a name that nobody has."""
    return TypeAdapter(vocabulary()[name])


def check_answer(name: str, value: Any) -> None:
    """Check a decoded JSON answer against the schema with this name; raises pydantic's ValidationError."""
    adapter(name).validate_python(value)


def component_schemas() -> dict[str, Any]:
    """The JSON Schema of every schema, by name, with references as an OpenAPI document writes them."""
    inputs: list[tuple[str, JsonSchemaMode, TypeAdapter[Any]]] = [
        (name, "validation", adapter(name)) for name in vocabulary()
    ]
    tops, shared = TypeAdapter.json_schemas(inputs, ref_template=REF_TEMPLATE)
    definitions: dict[str, Any] = shared["$defs"]
    for (name, _mode), schema in tops.items():
        definitions.setdefault(name, schema)
    for name, value in vocabulary().items():
        if isinstance(value, TypeAliasType) and isinstance(value.__value__, type):
            _refer(definitions, name, value.__value__.__name__)
    return definitions


def _refer(definitions: dict[str, Any], name: str, target: str) -> None:
    """Let a second name of a model refer to it; pydantic would copy the model."""
    if target in definitions:
        definitions[name] = {"$ref": REF_TEMPLATE.format(model=target)}


def _modules() -> Iterator[ModuleType]:
    for info in pkgutil.walk_packages(smalt.schemas.__path__, "smalt.schemas."):
        yield importlib.import_module(info.name)


def _is_schema(value: Any) -> bool:
    if isinstance(value, TypeAliasType):
        return True
    return isinstance(value, type) and issubclass(value, (Request, Wire)) and value not in {Request, Body, Wire}
