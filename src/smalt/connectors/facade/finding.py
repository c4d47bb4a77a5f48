"""Finds the actions that a path of the facade means."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from smalt.connectors.definitions.vocabulary import Action, Connector
from smalt.core.errors import NotFound
from smalt.http.refusals import WrongMethod

PLACE: Final = re.compile(r"\\?\{([^{}]+?)\\?\}")
BY_NAME: Final = "POST"
"""The method by which an action is called by its name."""


@dataclass(frozen=True, slots=True)
class Found:
    """An action, and the parameters that the path gives it."""

    action: Action
    given: Mapping[str, str]


def find(connector: Connector, method: str, path: str) -> Sequence[Found]:
    """The actions at a path, which is percent-encoded: several when only their values tell them apart.

    An action is at its own name; one with a single operation is at that operation's path too. Raises `NotFound` or
    `WrongMethod`.
    """
    at_path = [(one, found) for action in connector.actions for one, found in _places(action, path)]
    found = [one for allowed, one in at_path if allowed == method]
    if found:
        return found
    if at_path:
        allowed = sorted({allowed for allowed, _ in at_path})
        raise WrongMethod(method, f"/connectors/{connector.name}{path}", allowed=allowed)
    raise NotFound(
        f"The connector '{connector.name}' has nothing at {path}. GET /connectors/{connector.name} lists its actions "
        "and their paths."
    )


def paths(action: Action) -> Sequence[tuple[str, str]]:
    """The methods and paths of an action, below the connector's own."""
    by_name = (BY_NAME, f"/{action.name}")
    if not _has_path(action):
        return (by_name,)
    operation = action.operations[0]
    return (operation.method, operation.path), by_name


def _places(action: Action, path: str) -> Sequence[tuple[str, Found]]:
    """The methods by which a path calls the action."""
    if path == f"/{action.name}":
        return ((BY_NAME, Found(action, {})),)
    if not _has_path(action):
        return ()
    operation = action.operations[0]
    match = _pattern(operation.path).fullmatch(path)
    if match is None:
        return ()
    names = PLACE.findall(operation.path)
    given = {name: unquote(value) for name, value in zip(names, match.groups(), strict=True)}
    return ((operation.method, Found(action, given)),)


def _has_path(action: Action) -> bool:
    is_custom = any(parameter.place == "custom" for parameter in action.parameters)
    return len(action.operations) == 1 and not is_custom


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(PLACE.sub("([^/]+)", re.escape(path)))
