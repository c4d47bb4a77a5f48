"""Gives an answer the shape that an action's document describes."""

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import orjson

from smalt.connectors.definitions.vocabulary import Action, Operation, ReturnField
from smalt.connectors.exchange import Answer
from smalt.connectors.paths import Path, elements, pick, put, steps
from smalt.connectors.refusals import refusal
from smalt.connectors.result_types import as_documented
from smalt.core.errors import UpstreamFailed

OK: Final = range(200, 300)
AND: Final = " + "
TEXTS: Final = ("text/plain", "text/vtt", "text/srt", "application/x-subrip")


def shaped(action: Action, operation: Operation, answer: Answer) -> dict[str, Any]:
    """The answer with the documented fields over it; raises the `ApiError` that an error answer stands for."""
    if answer.status not in OK:
        raise refusal(answer)
    if any(parameter.place == "custom" for parameter in action.parameters):
        return {"statusCode": answer.status, "headers": dict(answer.headers), "body": _body(answer)}
    around = _around(action.returns)
    raw = _raw(operation, answer, action.returns)
    result = {around: raw} if around else raw
    for field in action.returns:
        _overlay(field, _sources(field, around), result)
    for name in _drained(action.returns, around):
        result.pop(name, None)
    return result


def shortened(action: Action, values: Mapping[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    """The result with no more items in its lists than a value of the action says, which the service is not told."""
    for parameter in action.parameters:
        items = result.get(parameter.at) if parameter.place == "limit" else None
        if parameter.name in values and isinstance(items, list):
            result[parameter.at] = items[: max(0, values[parameter.name])]  # pyright: ignore[reportUnknownVariableType] - JSON
    return result


def _around(returns: Sequence[ReturnField]) -> str:
    """The name that the document puts around the whole answer (`result`); empty when it has none."""
    for field in returns:
        if field.source and field.path.endswith(f".{field.source}"):
            return field.path.removesuffix(f".{field.source}")
    return ""


def _sources(field: ReturnField, around: str) -> Sequence[Path]:
    """Where the value lies in the result before it is moved; a list may be put together from several places."""
    if not field.source:
        return [steps(field.path)]
    prefix = f"{around}." if around else ""
    return [steps(prefix + source) for source in field.source.split(AND)]


def _overlay(field: ReturnField, sources: Sequence[Path], result: dict[str, Any]) -> None:
    path = steps(field.path)
    shared = 0
    while all(shared < min(len(path), len(source)) - 1 and source[shared] == path[shared] for source in sources):
        shared += 1
    for element in elements(result, path[:shared]):
        found = [pick(element, source[shared:]) for source in sources]
        value = found[0] if len(found) == 1 else _joined(found)
        put(element, path[shared:], as_documented(value, field.type))


def _joined(found: Sequence[Any]) -> list[Any]:
    """One list of all; its objects are copies, because the result has them elsewhere too."""
    items: list[Any] = []
    for value in found:
        items += value if isinstance(value, list) else [value]
    return [dict(item) if isinstance(item, dict) else item for item in items if item is not None]  # pyright: ignore[reportUnknownArgumentType] - JSON


def _drained(returns: Sequence[ReturnField], around: str) -> Iterator[str]:
    """What the document has under other names only."""
    documented = {steps(field.path)[0] for field in returns}
    for field in returns:
        for source in _sources(field, around):
            if isinstance(source[0], str) and source[0] not in documented:
                yield source[0]


def _raw(operation: Operation, answer: Answer, returns: Sequence[ReturnField]) -> dict[str, Any]:
    kind = _content_type(answer)
    if operation.answer == "binary":
        return _content(answer)
    if operation.answer == "text" or kind in TEXTS:
        return {"text": answer.content.decode(errors="replace")}
    if not answer.content.strip():
        return {}
    try:
        value = _parsed(answer.content)
    except (ValueError, RecursionError):
        raise UpstreamFailed(
            f"The service answered with {kind or 'something'}, not with JSON. Check the connection's base URL."
        ) from None
    if isinstance(value, dict):
        return value  # pyright: ignore[reportUnknownVariableType] - any JSON object
    lists = (field.path for field in returns if field.type.startswith("array") and "." not in field.path)
    return {next(lists, "data"): value}


def _parsed(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        # Some services write NaN, or half of an emoji; what was paid for is not thrown away because of that.
        value = json.loads(content, parse_constant=lambda _: None)
        return orjson.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))


def _body(answer: Answer) -> Any:
    """A custom call's answer, of which only the content type is known."""
    kind = _content_type(answer)
    if not answer.content:
        return None
    if kind.endswith("json"):
        with suppress(ValueError, RecursionError):
            return _parsed(answer.content)
    return answer.content.decode(errors="replace") if kind.startswith("text/") else _content(answer)


def _content(answer: Answer) -> dict[str, Any]:
    kind = answer.headers.get("content-type", "application/octet-stream")
    return {"$content": b64encode(answer.content).decode(), "$content-type": kind}


def _content_type(answer: Answer) -> str:
    return answer.headers.get("content-type", "").partition(";")[0].strip().lower()
