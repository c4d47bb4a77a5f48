"""Decides which files a filter lets through, with OData's rules for types and for what is missing."""

import operator
from collections.abc import Callable, Mapping
from typing import Any

from smalt.api.search_service.fields import Field, find_field, require_filterable
from smalt.api.search_service.odata import (
    Comparison,
    Constant,
    In,
    InvalidExpression,
    Joined,
    Node,
    Not,
    StartsWith,
    Truth,
    Value,
    fields_of,
    literal,
    parse,
)

Row = Mapping[str, Any]
Condition = Callable[[Row], bool]

COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}


def condition(text: str, fields: Mapping[str, Field]) -> Condition:
    """What a filter asks of a file's row of fields; raises `InvalidRequest` where it does not fit the fields."""
    node = parse(text)
    for name in fields_of(node):
        require_filterable(find_field(fields, name, param="filter"), param="filter")
    return _compiled(node, fields, text)


def _compiled(node: Node, fields: Mapping[str, Field], text: str) -> Condition:  # noqa: PLR0911 - one for each kind
    match node:
        case Constant(value):
            return lambda _: value
        case Truth(name):
            _require(fields[name], ("Edm.Boolean",), "stand alone as a condition", text)
            return lambda row: row.get(name) is True
        case Not(inner):
            opposite = _compiled(inner, fields, text)
            return lambda row: not opposite(row)
        case Joined(word, conditions):
            parts = [_compiled(one, fields, text) for one in conditions]
            together = all if word == "and" else any
            return lambda row: together(part(row) for part in parts)
        case In(name, values):
            _require(fields[name], ("Edm.String",), "be in search.in", text)
            wanted = frozenset(values)
            return lambda row: row.get(name) in wanted
        case StartsWith(name, prefix):
            _require(fields[name], ("Edm.String",), "be in startswith", text)
            return lambda row: (row.get(name) or "").startswith(prefix)
        case Comparison():
            return _comparison(node, fields[node.field], text)


def _comparison(node: Comparison, field: Field, text: str) -> Condition:
    name, value, compare = node.field, node.value, COMPARE[node.operator]
    if value is None:
        if node.operator not in ("eq", "ne"):
            raise _refusal(f"'{name} {node.operator} null' is not possible; null knows only eq and ne", name, text)
        return lambda row: (row.get(name) is None) == (node.operator == "eq")
    _require_same_type(field, value, text)
    if isinstance(value, bool) and node.operator not in ("eq", "ne"):
        raise _refusal(f"'{name}' is true or false, and knows only eq and ne", name, text)
    # What is missing is unlike every value, and neither more nor less than it.
    missing = node.operator == "ne"
    return lambda row: missing if row.get(name) is None else compare(row[name], value)


def _require_same_type(field: Field, value: Value, text: str) -> None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    kind = "Edm.Double" if is_number else "Edm.Boolean" if isinstance(value, bool) else "Edm.String"
    if field.type != kind:
        raise _refusal(f"'{field.name}' is of the type {field.type}, and {literal(value)} of {kind}", field.name, text)


def _require(field: Field, types: tuple[str, ...], what: str, text: str) -> None:
    if field.type not in types:
        reason = f"'{field.name}' is of the type {field.type}; only {' or '.join(types)} may {what}"
        raise _refusal(reason, field.name, text)


def _refusal(reason: str, name: str, text: str) -> InvalidExpression:
    return InvalidExpression(reason, position=max(text.find(name), 0), text=text)
