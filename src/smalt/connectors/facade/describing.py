"""Tells what connectors there are, and everything about one."""

from dataclasses import asdict
from typing import Any, Final

from smalt.connectors.definitions.vocabulary import Action, Connector
from smalt.connectors.facade.finding import paths

HEAD: Final = ("name", "title", "description", "publisher", "website", "privacy_policy", "categories")


def summary(connector: Connector) -> dict[str, Any]:
    """A connector in a list."""
    return {
        "object": "connector",
        **{name: getattr(connector, name) for name in HEAD},
        "path": f"/connectors/{connector.name}",
        "actions": [action.name for action in connector.actions],
    }


def description(connector: Connector) -> dict[str, Any]:
    """A whole connector, its actions with their paths below `path`."""
    return {
        **summary(connector),
        "throttle": asdict(connector.throttle),
        "actions": [_action(action) for action in connector.actions],
        "definitions": [asdict(definition) for definition in connector.definitions],
    }


def _action(action: Action) -> dict[str, Any]:
    told = {name: value for name, value in asdict(action).items() if name != "operations"}
    return {**told, "paths": [f"{method} {path}" for method, path in paths(action)]}
