"""Tells a hosted call from what its item shows, when a client sends the item back instead of going on from it."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

Json = dict[str, Any]

UNFINISHED = frozenset({"in_progress", "incomplete", "interpreting", "calling"})
UNKNOWN = "(The result was not sent along.)"


def retold(item: Json) -> Json | None:
    """The call as `name`, `arguments` and `output`; None for what the model need not be told."""
    tell = _TELLERS.get(item["type"])
    if tell is None or item.get("status") in UNFINISHED:
        return None
    name, arguments, output = tell(item)
    return {"name": name, "arguments": arguments, "output": output}


def _file_search(item: Json) -> tuple[str, str, str]:
    results: list[Json] | None = item.get("results")
    if results is None:
        said = UNKNOWN
    else:
        said = "\n\n".join(f"{one.get('filename', '')}:\n{one.get('text', '')}" for one in results) or "Nothing found."
    return "file_search", _json({"queries": item.get("queries") or []}), said


def _web_search(item: Json) -> tuple[str, str, str]:
    action: Json = item.get("action") or {}
    asked = {name: value for name, value in action.items() if name not in ("type", "sources") and value is not None}
    return "web_search", _json(asked), UNKNOWN


def _code_interpreter(item: Json) -> tuple[str, str, str]:
    outputs: list[Json] | None = item.get("outputs")
    if outputs is None:
        said = UNKNOWN
    else:
        said = "\n".join(one.get("logs") or "(An image was shown.)" for one in outputs) or "(No output.)"
    return "python", _json({"code": item.get("code") or ""}), said


def _image_generation(item: Json) -> tuple[str, str, str]:
    said = "The image was made, and the user sees it." if item.get("result") else "No image was made."
    return "image_generation", _json({"prompt": item.get("revised_prompt") or ""}), said


def _mcp_call(item: Json) -> tuple[str, str, str]:
    error: Any = item.get("error")
    said = _mcp_failure(error) if error else item.get("output") or ""
    return item["name"], item["arguments"] or "{}", said


def _mcp_failure(error: Any) -> str:
    from smalt.tools.mcp import error_text

    return f"Error: {error_text(error)}"


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


_TELLERS: Mapping[str, Callable[[Json], tuple[str, str, str]]] = {
    "file_search_call": _file_search,
    "web_search_call": _web_search,
    "code_interpreter_call": _code_interpreter,
    "image_generation_call": _image_generation,
    "mcp_call": _mcp_call,
}
