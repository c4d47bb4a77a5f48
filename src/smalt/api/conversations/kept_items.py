"""Brings items that a client adds to a conversation into the form that they are kept and shown in."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from smalt.api.responses.input_items import input_items
from smalt.core.errors import InvalidRequest, NotFound
from smalt.core.ids import item_id, response_id
from smalt.http.validation import invalid_request
from smalt.schemas.conversations import CreateConversationBody, CreateConversationItemsBody
from smalt.schemas.vocabulary import adapter
from smalt.store.conversations import Conversations

Json = dict[str, Any]

DEFAULTS: Mapping[str, Json] = {
    "code_interpreter_call": {"code": None, "outputs": None},
    "file_search_call": {"results": None},
    "image_generation_call": {"result": None},
    "mcp_call": {"status": "completed", "approval_request_id": None, "error": None, "output": None},
    # Parts of items.
    "input_image": {"detail": "auto"},
    "output_text": {"annotations": [], "logprobs": []},
}
"""What an item or a part of one has, by its type, when the client left it out or null."""


async def kept_items(
    body: CreateConversationBody | CreateConversationItemsBody, project: str, conversations: Conversations
) -> list[Json]:
    """The items of a body, each with its id, as they are kept; a reference becomes the item that it names."""
    given: list[Json] = body.model_dump(mode="json", exclude_unset=True).get("items") or []
    # Items that are added together have ids that begin alike, as those of one response do.
    family = response_id()
    with naming("items"):
        items = input_items(given, lambda prefix: item_id(prefix, family))
    items = [_kept(item, number) for number, item in enumerate(items)]
    return await _resolved(items, project, conversations)


@contextmanager
def naming(field: str) -> Generator[None]:
    """Let errors about `input` name the field that the items came from."""
    try:
        yield
    except InvalidRequest as error:
        error.message = error.message.replace("input[", f"{field}[")
        error.param = error.param and error.param.replace("input[", f"{field}[")
        raise


def _kept(item: Json, number: int) -> Json:
    """An item with every field that answers need, and without those that nobody knows; references stay."""
    if item["type"] == "item_reference":
        return item
    filled = _filled({name: _parts(value) for name, value in item.items()})
    resource = adapter("ItemResource")
    try:
        known = resource.validate_python(filled, extra="ignore")
    except ValidationError as error:
        found = [{**one, "loc": ("body", "items", number, *one["loc"])} for one in error.errors()]
        raise invalid_request(RequestValidationError(found, body={"items": [None] * number + [filled]})) from error
    return resource.dump_python(known, mode="json", exclude_unset=True)


def _parts(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [_filled(cast("Json", one)) if isinstance(one, dict) else one for one in cast("list[Any]", value)]


def _filled(fields: Json) -> Json:
    defaults = DEFAULTS.get(str(fields.get("type")), {})
    return {**fields, **{name: value for name, value in defaults.items() if fields.get(name) is None}}


async def _resolved(items: Sequence[Json], project: str, conversations: Conversations) -> list[Json]:
    wanted = [item["id"] for item in items if item["type"] == "item_reference"]
    found = await conversations.find_items(project, wanted)
    for number, item in enumerate(items):
        if item["type"] == "item_reference" and item["id"] not in found:
            raise NotFound(
                f"Item with id '{item['id']}' not found. Only an item of a conversation can be referred to here.",
                param=f"items[{number}].id",
            )
    return [found[item["id"]] if item["type"] == "item_reference" else item for item in items]
