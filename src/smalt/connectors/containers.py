"""The objects and lists of a request's body that parameters lie in: `messages`, `data_sources[].parameters`."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from smalt.connectors.definitions.vocabulary import Parameter

REQUIRED: Final = frozenset({"messages", "dataSources", "dataSources.parameters", "data_sources.parameters"})
"""Containers that their parents must have; the others are there when something in them is given."""


def steps(at: str) -> Sequence[str]:
    """The names on a path, without the marks of lists."""
    return at.replace("[]", "").split(".")


def root(parameter: Parameter) -> str | None:
    """The outermost container that the parameter lies in; None when it lies in the body itself."""
    if parameter.place != "body" or "." not in parameter.at:
        return None
    return steps(parameter.at)[0]


def is_list(parameter: Parameter) -> bool:
    """Whether the outermost container is a list."""
    return parameter.at.split(".", 1)[0].endswith("[]")


def is_needed(parameter: Parameter, given: Collection[Parameter]) -> bool:
    """Whether a required parameter must be there, beside those that are given."""
    optional = _nearest_optional(parameter)
    if optional is None:
        return True
    return any(other.place == "body" and _lies_in(other, optional) for other in given)


def missing(parameter: Parameter, whole: Any) -> Iterator[str]:
    """Where a container that was given whole lacks the parameter, as paths from the body."""
    outermost, *names = steps(parameter.at)
    return _missing(whole, names, outermost)


def _missing(value: Any, names: Sequence[str], where: str) -> Iterator[str]:
    if isinstance(value, list):
        for index, item in enumerate(value):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - JSON
            yield from _missing(item, names, f"{where}[{index}]")
    elif isinstance(value, Mapping):
        name, *rest = names
        if rest:
            yield from _missing(value.get(name), rest, f"{where}.{name}")  # pyright: ignore[reportUnknownMemberType] - JSON
        elif value.get(name) is None:  # pyright: ignore[reportUnknownMemberType] - JSON
            yield f"{where}.{name}"


def _nearest_optional(parameter: Parameter) -> str | None:
    if parameter.place != "body":
        return None
    names = steps(parameter.at)
    for depth in range(len(names) - 1, 0, -1):
        container = ".".join(names[:depth])
        if container not in REQUIRED:
            return container
    return None


def _lies_in(parameter: Parameter, container: str) -> bool:
    return ".".join(steps(parameter.at)).startswith(f"{container}.")
