"""Fills templates in from what is at hand: `{{subject}}` is the column of that name."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from smalt.connectors.paths import pick, steps

PLACE: Final = re.compile(r"\{\{(.+?)\}\}", re.DOTALL)
PATH: Final = re.compile(r"[.\[]")

Scope = Mapping[str, Any]


def filled(template: str, scope: Scope) -> Any:
    """The template with its places filled in; one that is a place and nothing else keeps the value's type."""
    whole = PLACE.fullmatch(template)
    if whole is not None and len(PLACE.findall(template)) == 1:
        return _value(whole[1], scope)
    return PLACE.sub(lambda place: as_words(_value(place[1], scope)), template)


def unknown_names(templates: Iterable[str], known: Iterable[str]) -> list[str]:
    """The names that templates ask for and that nobody has, each once, in their order."""
    there = set(known)
    asked = (name.strip() for template in templates for name in PLACE.findall(template))
    return list(dict.fromkeys(name for name in asked if name not in there and PATH.split(name)[0] not in there))


def as_words(value: Any) -> str:
    """A value within a text."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # a spreadsheet has no other way to hold a whole number
    return orjson.dumps(value).decode()


def _value(inner: str, scope: Scope) -> Any:
    name = inner.strip()
    # A column may well have a dot in its name.
    return scope[name] if name in scope else pick(scope, steps(name))
