"""What a model may do with a screen, a mouse and a keyboard, and how an action is made of what it wrote."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from smalt.tools.protocols import Json, ToolFunction

BUTTONS = ("left", "right", "wheel", "back", "forward")
USUAL_WIDTH, USUAL_HEIGHT = 1024, 768
"""The screen, when the request does not say."""
MOST_KEYS = 16
MOST_POINTS = 100


class Unclear(Exception):
    """The model left out what an action needs."""


def computer_function(tool: Mapping[str, Any]) -> ToolFunction:
    """The function `computer`: one action at a time, on a screen of the size that the request tells."""
    width, height = _size(tool)
    environment = tool.get("environment")
    where = f" The environment is {environment}." if environment else ""
    return ToolFunction(
        "computer",
        f"Use the user's computer: one action at a time, and see the screen after it. The screen is {width} pixels "
        f"wide and {height} high; x counts from the left, y from the top.{where} Begin with a screenshot.",
        {
            "type": "object",
            "properties": {"action": {"anyOf": _actions(width, height)}},
            "required": ["action"],
            "additionalProperties": False,
        },
        strict=True,
    )


def computer_action(arguments: Json, tool: Mapping[str, Any]) -> Json:
    """The action that a model wrote; a look at the screen, which harms nothing, when it wrote none that can be done."""
    inner = arguments.get("action")
    written = cast("Json", inner) if isinstance(inner, dict) else arguments
    make = _MAKERS.get(str(written.get("type")))
    try:
        return make(written, _size(tool)) if make else {"type": "screenshot"}
    except Unclear:
        return {"type": "screenshot"}


def _size(tool: Mapping[str, Any]) -> tuple[int, int]:
    return int(tool.get("display_width") or USUAL_WIDTH), int(tool.get("display_height") or USUAL_HEIGHT)


def _actions(width: int, height: int) -> list[Json]:
    point = {"x": _number(0, width - 1), "y": _number(0, height - 1)}
    keys = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MOST_KEYS}
    path = {"type": "array", "items": _object(point), "minItems": 2, "maxItems": MOST_POINTS}
    return [
        _action("screenshot"),
        _action("click", button={"type": "string", "enum": list(BUTTONS)}, **point),
        _action("double_click", **point),
        _action("move", **point),
        _action("scroll", **point, scroll_x=_number(-10_000, 10_000), scroll_y=_number(-10_000, 10_000)),
        _action("type", text={"type": "string"}),
        _action("keypress", keys=keys),
        _action("drag", path=path),
        _action("wait"),
    ]


def _action(kind: str, **fields: Json) -> Json:
    return _object({"type": {"type": "string", "enum": [kind]}, **fields})


def _object(properties: Mapping[str, Any]) -> Json:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def _number(least: int, most: int) -> Json:
    return {"type": "integer", "minimum": least, "maximum": most}


Size = tuple[int, int]


def _whole(written: Json, name: str) -> int:
    value = written.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e9:  # noqa: PLR2004 - no screen is so large
        raise Unclear
    return round(value)


def _point(written: Json, size: Size) -> Json:
    """A point on the screen: one beyond its edge is moved to the edge."""
    x, y = _whole(written, "x"), _whole(written, "y")
    return {"x": min(max(x, 0), size[0] - 1), "y": min(max(y, 0), size[1] - 1)}


def _click(written: Json, size: Size) -> Json:
    button = written.get("button")
    return {"type": "click", "button": button if button in BUTTONS else "left", **_point(written, size)}


def _double_click(written: Json, size: Size) -> Json:
    return {"type": "double_click", **_point(written, size)}


def _move(written: Json, size: Size) -> Json:
    return {"type": "move", **_point(written, size)}


def _scroll(written: Json, size: Size) -> Json:
    steps = {name: _whole({name: 0, **written}, name) for name in ("scroll_x", "scroll_y")}
    return {"type": "scroll", **_point(written, size), **steps}


def _type(written: Json, size: Size) -> Json:
    del size
    if not isinstance(written.get("text"), str):
        raise Unclear
    return {"type": "type", "text": written["text"]}


def _keypress(written: Json, size: Size) -> Json:
    del size
    keys = written.get("keys")
    names = [str(key) for key in cast("list[Any]", keys)][:MOST_KEYS] if isinstance(keys, list) else []
    if not names:
        raise Unclear
    return {"type": "keypress", "keys": names}


def _drag(written: Json, size: Size) -> Json:
    path = written.get("path")
    steps = cast("list[Any]", path) if isinstance(path, list) else []
    points = [_point(cast("Json", one), size) for one in steps if isinstance(one, dict)]
    if len(points) < 2:  # noqa: PLR2004 - from one point to another
        raise Unclear
    return {"type": "drag", "path": points[:MOST_POINTS]}


def _plain(written: Json, size: Size) -> Json:
    del size
    return {"type": written["type"]}


_MAKERS: Mapping[str, Callable[[Json, Size], Json]] = {
    "screenshot": _plain,
    "wait": _plain,
    "click": _click,
    "double_click": _double_click,
    "move": _move,
    "scroll": _scroll,
    "type": _type,
    "keypress": _keypress,
    "drag": _drag,
}
