"""Shows stored completions and their messages as OpenAI's document describes them."""

from typing import Any

from smalt.store.paging import Page
from smalt.store.stored_completions import StoredCompletion, StoredMessage

Json = dict[str, Any]


def completion_json(kept: StoredCompletion) -> Json:
    """One stored completion."""
    return {**kept.completion, "metadata": kept.metadata}


def completions_json(page: Page[StoredCompletion]) -> Json:
    """A page of stored completions."""
    return _page([completion_json(kept) for kept in page.items], has_more=page.has_more)


def messages_json(page: Page[StoredMessage]) -> Json:
    """A page of the messages that a stored completion answered."""
    return _page([_message(kept) for kept in page.items], has_more=page.has_more)


def _message(kept: StoredMessage) -> Json:
    """Content in parts is listed apart, and its text is the content."""
    message = {"refusal": None, **kept.message, "id": kept.id}
    content = message.get("content")
    if isinstance(content, list):
        parts: list[Json] = content  # pyright: ignore[reportUnknownVariableType] - JSON
        message["content_parts"] = parts
        message["content"] = "".join(part["text"] for part in parts if part["type"] == "text") or None
    return {"content": None, **message}


def _page(items: list[Json], *, has_more: bool) -> Json:
    return {
        "object": "list",
        "data": items,
        "first_id": items[0]["id"] if items else None,
        "last_id": items[-1]["id"] if items else None,
        "has_more": has_more,
    }
