"""Reads and writes at the paths that documents use in results: names with dots, through lists without a mark."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

Step = str | int
Path = Sequence[Step]
PIECE: Final = re.compile(r"\[(\d+)\]")


def steps(path: str) -> Path:
    """The names and indices of a path: `choices[0].text` is `choices`, 0, `text`."""
    found: list[Step] = []
    for name in path.split("."):
        found.append(PIECE.sub("", name).removesuffix("[]"))
        found.extend(int(index) for index in PIECE.findall(name))
    return found


def elements(value: Any, path: Path) -> Iterator[dict[str, Any]]:
    """Every object at a path; an object on the way that lacks the next name gets it, as nothing."""
    if isinstance(value, list):
        for item in value:  # pyright: ignore[reportUnknownVariableType] - any JSON list
            yield from elements(item, path)
    elif isinstance(value, dict):
        if path:
            yield from elements(value.setdefault(path[0], None), path[1:])  # pyright: ignore[reportUnknownMemberType] - JSON
        else:
            yield value


def pick(value: Any, path: Path) -> Any:
    """What lies at a path; a list of it where the path goes through a list; None when it is not there."""
    if not path:
        return value
    step, *rest = path
    if isinstance(value, list):
        if isinstance(step, int):
            return pick(value[step], rest) if step < len(value) else None  # pyright: ignore[reportUnknownArgumentType] - JSON
        return [pick(item, path) for item in value]  # pyright: ignore[reportUnknownVariableType] - any JSON list
    return pick(value.get(step), rest) if isinstance(value, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] - JSON


def put(value: dict[str, Any], path: Path, leaf: Any) -> None:
    """Set what lies at a path of names, with objects on the way where there are none."""
    *way, last = [str(step) for step in path]
    for name in way:
        inner: Any = value.get(name)
        if not isinstance(inner, dict):
            inner = {}
            value[name] = inner
        value = inner  # pyright: ignore[reportUnknownVariableType] - any JSON object
    value[last] = leaf
