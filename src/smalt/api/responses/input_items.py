"""Brings the input of a request into one form: items with ids, messages with content parts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from smalt.core.errors import InvalidRequest, UnsupportedValue
from smalt.schemas.responses import ItemResource

Json = dict[str, Any]
NewId = Callable[[str], str]
"""Makes an item id that begins with a prefix, such as `msg_`."""

PREFIXES: Mapping[str, str] = {
    "message": "msg_",
    "function_call": "fc_",
    "function_call_output": "fco_",
    "file_search_call": "fs_",
    "web_search_call": "ws_",
    "code_interpreter_call": "ci_",
    "image_generation_call": "ig_",
    "computer_call": "cu_",
    "computer_call_output": "cuo_",
    "local_shell_call": "lsh_",
    "local_shell_call_output": "lsho_",
    "mcp_list_tools": "mcpl_",
    "mcp_call": "mcp_",
    "mcp_approval_request": "mcpr_",
    "mcp_approval_response": "mcpa_",
    "custom_tool_call": "ctc_",
    "custom_tool_call_output": "ctco_",
    "reasoning": "rs_",
}
"""How the ids of an item of each type begin; the types there are."""

LONGEST_ID = 64
WITHOUT_STATUS = frozenset({"reasoning", "mcp_list_tools", "mcp_approval_request", "mcp_approval_response"})
UNSAID: Mapping[str, Json] = {
    "file_search_call": {"results": None},
    "code_interpreter_call": {"code": None, "outputs": None},
    "image_generation_call": {"result": None},
    "mcp_call": {"output": None, "error": None, "approval_request_id": None},
    "mcp_approval_response": {"reason": None},
    # Parts of items.
    "input_image": {"image_url": None, "file_id": None},
    "computer_screenshot": {"image_url": None, "file_id": None},
}
"""Fields that an item or a part of one has, by its type, also when a client leaves them out."""

CONTENT: Mapping[str, frozenset[str]] = {
    "user": frozenset({"input_text", "input_image", "input_file", "input_audio"}),
    "system": frozenset({"input_text"}),
    "developer": frozenset({"input_text"}),
    "assistant": frozenset({"output_text", "refusal"}),
}
"""What the message of each role may hold."""


def user_message(text: str) -> Json:
    """A text as the message that it stands for."""
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def input_items(asked: str | Sequence[Json] | None, new_id: NewId, *, param: str = "input") -> list[Json]:
    """The input as items, references among them; raises what an item may not be, by its place in `param`."""
    if asked is None:
        return []
    if isinstance(asked, str):
        return [_named(user_message(asked), new_id)]
    items = [_item(item, f"{param}[{position}]", new_id) for position, item in enumerate(asked)]
    _check_ids(items, param)
    return items


def content_parts(item: Json) -> Iterator[tuple[str, int, Json]]:
    """Every part that an item holds, with the field it is in and its position there."""
    for field in ("content", "output"):
        parts: Any = item.get(field)
        if isinstance(parts, list):
            yield from ((field, position, part) for position, part in enumerate(cast("list[Json]", parts)))
        elif isinstance(parts, dict):
            yield field, 0, cast("Json", parts)


def _item(item: Json, param: str, new_id: NewId) -> Json:
    kind = item.get("type") or ("message" if "role" in item else "item_reference")
    if kind == "item_reference":
        return {"type": kind, "id": item["id"]}
    if kind not in PREFIXES:
        raise UnsupportedValue(
            f"Unsupported value: '{param}.type' does not support '{kind}' here. It may be one of: "
            f"{', '.join(PREFIXES)}, item_reference.",
            param=f"{param}.type",
        )
    # A leading underscore marks what Smalt itself keeps with an item.
    said = {name: value for name, value in item.items() if not name.startswith("_")}
    whole = _whole({**said, "type": kind})
    if kind == "message":
        whole["content"] = _content(whole, param)
    elif isinstance(whole.get("output"), list):
        whole["output"] = [_whole_part(part, f"{param}.output[{at}]") for at, part in enumerate(whole["output"])]
    elif isinstance(whole.get("output"), dict):
        whole["output"] = _whole(whole["output"])
    return _known(_named(whole, new_id), param)


def _whole(fields: Json) -> Json:
    return {**UNSAID.get(fields["type"], {}), **fields}


def _known(item: Json, param: str) -> Json:
    """The item without fields that only its sender knows: it will be shown as an answer."""
    resource = _resource()
    try:
        known = resource.validate_python(item, extra="ignore")
    except ValidationError as error:
        place = error.errors()[0]
        field = ".".join(str(one) for one in place["loc"][2 if item["type"] == "message" else 1 :])
        message = f"Invalid '{param}.{field}': {place['msg']}."
        raise InvalidRequest(message, param=f"{param}.{field}", code="invalid_value") from error
    return resource.dump_python(known, mode="json", exclude_unset=True, by_alias=True)


@cache
def _resource() -> TypeAdapter[Any]:
    return TypeAdapter(ItemResource)


def _named(item: Json, new_id: NewId) -> Json:
    kind: str = item["type"]
    if kind == "local_shell_call_output" and not item.get("call_id") and item.get("id"):
        # The reference has such an output carry the id of its call.
        item = {**item, "call_id": item["id"], "id": None}
    item = {**item, "id": item.get("id") or new_id(PREFIXES[kind])}
    if kind not in WITHOUT_STATUS:
        item["status"] = item.get("status") or "completed"
    return item


def _content(message: Json, param: str) -> list[Json]:
    role: str = message["role"]
    content: Any = message["content"]
    if isinstance(content, str):
        return [_text_part(role, content)]
    parts: list[Json] = []
    for position, part in enumerate(content):
        parts.append(_part(role, part, f"{param}.content[{position}]"))
    return parts


def _text_part(role: str, text: str) -> Json:
    if role == "assistant":
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"type": "input_text", "text": text}


def _part(role: str, part: Json, param: str) -> Json:
    kind: str = part["type"]
    if role == "assistant" and kind == "input_text":
        return _text_part(role, part["text"])
    if kind not in CONTENT[role]:
        raise InvalidRequest(
            f"Invalid value: '{kind}'. Supported values in a message of role '{role}' are: "
            f"{', '.join(sorted(CONTENT[role]))}.",
            param=f"{param}.type",
            code="invalid_value",
        )
    return _whole_part(part, param)


def _whole_part(part: Json, param: str) -> Json:
    """The part with every field that answers have."""
    _check_source(part, param)
    part = _whole(part)
    if part["type"] == "output_text":
        return {**part, "annotations": part.get("annotations") or [], "logprobs": part.get("logprobs") or []}
    return {**part, "detail": part.get("detail") or "auto"} if part["type"] == "input_image" else part


def _check_source(part: Json, param: str) -> None:
    """An image or a file says in exactly one way where it is."""
    ways = {"input_image": ("image_url", "file_id"), "input_file": ("file_id", "file_data", "file_url")}
    expected = ways.get(part["type"])
    if expected is None:
        return
    told = [name for name in expected if part.get(name)]
    if not told:
        raise InvalidRequest(
            f"Missing required parameter: '{param}.{expected[0]}', or one of: {', '.join(expected[1:])}.",
            param=param,
            code="missing_required_parameter",
        )
    if len(told) > 1:
        raise InvalidRequest(
            f"'{param}' has {' and '.join(told)}; send one of them alone.",
            param=param,
            code="mutually_exclusive_parameters",
        )


def _check_ids(items: Sequence[Json], param: str) -> None:
    seen: set[str] = set()
    for position, item in enumerate(items):
        if len(item["id"]) > LONGEST_ID:
            raise InvalidRequest(
                f"Invalid '{param}[{position}].id': string too long. Expected a string with maximum length "
                f"{LONGEST_ID}.",
                param=f"{param}[{position}].id",
                code="string_above_max_length",
            )
        if item["id"] in seen:
            raise InvalidRequest(
                f"Duplicate item found with id '{item['id']}'. Remove one of them from your input, or its id.",
                param=f"{param}[{position}].id",
            )
        seen.add(item["id"])
