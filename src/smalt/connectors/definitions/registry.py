"""Finds connectors and their actions by name; a definition is loaded when it is first asked for."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from typing import Final

from smalt.connectors.definitions.vocabulary import Action, Connector
from smalt.core.errors import NotFound

NAMES: Final = ("openai-gpt", "azure-openai", "azure-openai-preview", "fusion-openai")


def connectors() -> Sequence[Connector]:
    """Every connector there is."""
    return tuple(_loaded(name) for name in NAMES)


def connector(name: str) -> Connector:
    """The connector of that name; raises `NotFound`."""
    if name not in NAMES:
        raise NotFound(f"There is no connector '{name}'. {_instead(name, NAMES)}", param="connector")
    return _loaded(name)


def action(connector: Connector, name: str) -> Action:
    """The connector's action of that name; raises `NotFound`."""
    for each in connector.actions:
        if each.name == name:
            return each
    names = [each.name for each in connector.actions]
    raise NotFound(f"'{connector.name}' has no action '{name}'. {_instead(name, names)}", param="action")


@cache
def _loaded(name: str) -> Connector:
    module = import_module(f"{__package__}.{name.replace('-', '_')}")
    return module.CONNECTOR


def _instead(name: str, names: Iterable[str]) -> str:
    near = get_close_matches(name, names := list(names), n=1)
    advice = f"Did you mean '{near[0]}'? " if near else ""
    return f"{advice}There are: {', '.join(names)}."
