"""What a request for a response must be, beyond the types of its fields."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

from smalt.core.errors import InvalidRequest, UnsupportedParameter

Json = dict[str, Any]

CALLS = {
    "function_call": "function_call_output",
    "custom_tool_call": "custom_tool_call_output",
    "computer_call": "computer_call_output",
    "local_shell_call": "local_shell_call_output",
}
"""Calls that the client answers, and what it answers them with."""

WITHOUT_INPUT = ("previous_response_id", "conversation", "prompt")
"""Fields that bring something to answer, so that `input` may be left out."""


MOST_LEVELS = 100
"""Objects and arrays within each other in a field; what is nested deeper cannot be kept."""


def check_request(asked: Json) -> None:
    """Refuse fields that exclude each other, and what is not served."""
    _check_depth(asked)
    if asked.get("input") is None and not any(asked.get(name) for name in WITHOUT_INPUT):
        raise InvalidRequest(
            "Missing required parameter: 'input'. Send what the model is to answer.",
            param="input",
            code="missing_required_parameter",
        )
    if asked.get("previous_response_id") and asked.get("conversation"):
        raise InvalidRequest(
            "Mutually exclusive parameters: 'previous_response_id' and 'conversation'. Send one of them alone.",
            param="conversation",
            code="mutually_exclusive_parameters",
        )
    if asked.get("store") is False:
        _check_unstored(asked)
    if asked.get("context_management"):
        raise UnsupportedParameter("context_management", "Send truncation 'auto' to leave out what does not fit.")


def _check_depth(asked: Json) -> None:
    for name, value in asked.items():
        level: list[Any] = [value]
        for _ in range(MOST_LEVELS):
            level = [inner for outer in level for inner in _inside(outer)]
        if level:
            raise InvalidRequest(
                f"Invalid '{name}': it is nested deeper than {MOST_LEVELS} levels. Make it flatter.",
                param=name,
                code="invalid_value",
            )


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return cast("Json", value).values()
    return cast("list[Any]", value) if isinstance(value, list) else ()


def _check_unstored(asked: Json) -> None:
    for name in ("background", "conversation"):
        if asked.get(name):
            raise InvalidRequest(
                f"'{name}' needs a response that is stored. Leave 'store' out, or set it to true.",
                param=name,
                code="invalid_parameter_combination",
            )


def check_items(context: Sequence[Json], given: Sequence[Json]) -> None:
    """Refuse input that does not go with what came before: ids that are there, calls without results, or the reverse.

    A call that the model could not end has no result, and needs none.
    """
    known = {item["id"] for item in context}
    for position, item in enumerate(given):
        if item["id"] in known:
            raise InvalidRequest(
                f"Duplicate item found with id '{item['id']}'. It is part of the conversation already: leave it out.",
                param=f"input[{position}].id",
            )
    items = [*context, *given]
    if not items:
        raise InvalidRequest("Invalid 'input': empty array. Send at least one item.", param="input", code="empty_array")
    for call, output in CALLS.items():
        _check_pairs(items, given, call, output)


def _check_pairs(items: Sequence[Json], given: Sequence[Json], call: str, output: str) -> None:
    calls = [item for item in items if item["type"] == call]
    asked = {name for item in calls for name in (item["call_id"], item["id"])}
    answered = {item.get("call_id") for item in items if item["type"] == output}
    # A shell's output may name no call; it answers the next one that has none.
    unnamed = sum(item["type"] == output and not item.get("call_id") for item in items)
    for item in calls:
        if item.get("status") in ("incomplete", "in_progress") or {item["call_id"], item["id"]} & answered:
            continue
        if unnamed:
            unnamed -= 1
            continue
        raise InvalidRequest(
            f"No tool output found for {call.replace('_', ' ')} {item['call_id']}. Send an item '{output}' with this "
            "call_id.",
            param="input",
        )
    for position, item in enumerate(given):
        if item["type"] == output and item.get("call_id") and item["call_id"] not in asked:
            raise InvalidRequest(
                f"No tool call found for {output.replace('_', ' ')} with call_id {item['call_id']}. Send the call "
                "before it, or previous_response_id.",
                param=f"input[{position}].call_id",
            )
