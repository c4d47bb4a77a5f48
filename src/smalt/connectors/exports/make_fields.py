"""The fields of a module as Make and Fusion show them, and the body that is made of their values."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from smalt.connectors.definitions.vocabulary import Action, Connector, Parameter
from smalt.connectors.exports.calls import ExportedCall

Field = dict[str, Any]

LIST_OF: Final = "array of "
TYPES: Final[Mapping[str, str]] = {
    "string": "text",
    "securestring": "text",
    "integer": "integer",
    "number": "number",
    "float": "number",
    "double": "number",
    "boolean": "boolean",
}
LONG: Final = frozenset({"prompt", "content", "input", "instruction", "body"})
"""Texts that have several lines."""
MODELS: Final = "rpc://listModels"
IDENTIFIER: Final = re.compile(r"[A-Za-z_]\w*")
PAIRS: Final = frozenset({"headers", "qs"})
"""Fields of a call made by hand whose names nobody knows before."""
PAIR: Final = [
    {"name": "key", "label": "Key", "type": "text", "required": True},
    {"name": "value", "label": "Value", "type": "text"},
]


def fields(action: Action, *, is_cloud: bool) -> list[Field]:
    """The fields of a module; those of one operation alone are there once it is chosen."""
    shared = [each for each in action.parameters if not each.operations and each.place != "selector"]
    if is_cloud:
        shared = [each for each in shared if each.place != "limit"]
    selectors = [_selector(action, each, is_cloud=is_cloud) for each in action.parameters if each.place == "selector"]
    made = [*selectors, *_tree(shared, is_cloud=is_cloud)]
    has_form = any(parameter.type == "file" for parameter in action.parameters)
    return made if is_cloud or not has_form else [_in_form(field) for field in made]


def value_of(name: str) -> str:
    """The template of a field's value."""
    return f"{{{{parameters.{quoted(name)}}}}}"


def quoted(name: str) -> str:
    """A name as templates write it."""
    return name if IDENTIFIER.fullmatch(name) else f"`{name}`"


def body(call: ExportedCall, parameters: Sequence[Parameter]) -> dict[str, Any]:
    """The body of a request; what is empty is left out by Make, and by the facade."""
    made: dict[str, Any] = {}
    for parameter in parameters:
        root = parameter.at.split(".")[0].removesuffix("[]")
        is_inner = "." in parameter.at and parameter.place == "body"
        if parameter.type == "file":
            made[call.name_of(parameter)] = {
                "value": value_of(f"{parameter.name}_data"),
                "options": {"filename": value_of(f"{parameter.name}_name")},
            }
        elif parameter.place == "custom" and parameter.key in PAIRS:
            made[parameter.key] = pairs(parameter.key)
        elif is_inner:
            made[root] = value_of(root)
        else:
            made[call.name_of(parameter)] = value_of(parameter.name)
    return made


def pairs(name: str) -> str:
    """The template of names and values that are given as a list of pairs."""
    return f"{{{{toCollection(parameters.{name}, 'key', 'value')}}}}"


def options_source(connector: Connector) -> Action | None:
    """The action that lists what fields may be chosen from."""
    names = {parameter.values_from for action in connector.actions for parameter in action.parameters}
    return next((action for action in connector.actions if action.name in names), None)


def _in_form(field: Field) -> Field:
    """A field of a form for the facade, which reads a list there as its JSON."""
    if field["type"] == "array":
        return {**{name: value for name, value in field.items() if name != "spec"}, "type": "json"}
    if field["type"] != "select":
        return field
    options = field["options"]
    if isinstance(options, dict):
        return field
    return {**field, "options": [_option_in_form(option) for option in options]}


def _option_in_form(option: Field) -> Field:
    nested = [_in_form(field) for field in option.get("nested", [])]
    return {**option, "nested": nested} if nested else option


def _selector(action: Action, selector: Parameter, *, is_cloud: bool) -> Field:
    options = [
        {"label": operation.title, "value": operation.name, "nested": nested}
        if (nested := _tree([p for p in action.parameters if operation.name in p.operations], is_cloud=is_cloud))
        else {"label": operation.title, "value": operation.name}
        for operation in action.operations
    ]
    return {**_head(selector), "type": "select", "options": options}


def _tree(parameters: Sequence[Parameter], *, is_cloud: bool) -> list[Field]:
    """The fields at the outermost level; what lies in a list or an object is within that."""
    top: list[Field] = []
    for parameter in parameters:
        way = parameter.at.split(".")[:-1] if parameter.place == "body" else []
        level = top
        for step in way:
            level = _within(level, step)
        level += _fields(parameter, is_cloud=is_cloud, is_inner=bool(way))
    return top


def _within(level: list[Field], step: str) -> list[Field]:
    name = step.removesuffix("[]")
    for field in level:
        if field["name"] == name:
            return field["spec"]
    kind = "array" if step.endswith("[]") else "collection"
    spec: list[Field] = []
    level.append({"name": name, "label": name.replace("_", " ").capitalize(), "type": kind, "spec": spec})
    return spec


def _fields(parameter: Parameter, *, is_cloud: bool, is_inner: bool) -> Iterator[Field]:
    head = _head(parameter, parameter.key if is_inner else parameter.name)
    if parameter.type == "file":
        name, label = head["name"], head["label"]
        yield {**head, "name": f"{name}_name", "label": f"{label}: name", "type": "filename", "semantic": "file:name"}
        yield {**head, "name": f"{name}_data", "label": f"{label}: data", "type": "buffer", "semantic": "file:data"}
    elif parameter.choices:
        options = [{"label": choice, "value": choice} for choice in parameter.choices]
        yield {**head, "type": "select", "options": options}
    elif parameter.values_from:
        yield {**head, "type": "select", "mode": "edit", "options": {"store": MODELS}}
    elif parameter.place == "custom" and parameter.key in PAIRS:
        yield {**head, "type": "array", "spec": PAIR}
    elif parameter.place == "custom":
        yield {**head, "type": "text"}
    else:
        yield {**head, **_typed(parameter.type, unknown="any" if is_cloud or is_inner else "json")}


def _head(parameter: Parameter, name: str = "") -> Field:
    head: Field = {"name": name or parameter.name, "label": parameter.title}
    if parameter.help:
        head["help"] = parameter.help
    if parameter.required and parameter.default is None:
        head["required"] = True
    if parameter.is_advanced and not parameter.required:
        head["advanced"] = True
    if parameter.default is not None:
        head["default"] = parameter.default
    if parameter.key in LONG and parameter.type == "string":
        head["multiline"] = True
    return head


def _typed(kind: str, unknown: str) -> Field:
    """The type; `unknown` is that of objects: the facade reads JSON, a service needs another module's object."""
    if kind.startswith(LIST_OF):
        return {"type": "array", "spec": _typed(kind.removeprefix(LIST_OF), unknown)}
    return {"type": TYPES.get(kind, unknown)}
