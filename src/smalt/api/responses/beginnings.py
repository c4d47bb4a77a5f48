"""The response object as it begins: what was asked, every field present, and nothing answered yet."""

from collections.abc import Mapping, Sequence
from typing import Any

from smalt.api.responses import formats, reasoning
from smalt.api.responses.toolset import kind_of
from smalt.core.clock import now

Json = dict[str, Any]

TOOL_DEFAULTS: Mapping[str, Json] = {
    "function": {"description": None, "parameters": None, "strict": False},
    "file_search": {
        "filters": None,
        "max_num_results": 20,
        "ranking_options": {"ranker": "auto", "score_threshold": 0.0},
    },
    "web_search_preview": {"search_context_size": "medium", "user_location": None},
    "mcp": {"allowed_tools": None, "headers": None, "require_approval": "always"},
}
"""What a tool does where the request says nothing, by kind."""

DEFAULTS: Mapping[str, Any] = {
    "max_output_tokens": None,
    "max_tool_calls": None,
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "prompt_cache_retention": None,
    "safety_identifier": None,
    "service_tier": "auto",
    "store": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
"""Fields that are answered as they were asked, or as they hold when they were not."""


def beginning(
    asked: Json, *, response_id: str, model: str, instructions: str | None, conversation_id: str | None, is_azure: bool
) -> Json:
    """The object of a response that was asked with these fields."""
    is_background = bool(asked.get("background"))
    response: Json = {
        "id": response_id,
        "object": "response",
        "created_at": now(),
        "status": "queued" if is_background else "in_progress",
        "background": is_background,
        "completed_at": None,
        "error": None,
        "frequency_penalty": 0.0,
        "incomplete_details": None,
        "instructions": instructions,
        "metadata": asked.get("metadata") or {},
        "model": model,
        "output": [],
        "presence_penalty": 0.0,
        "reasoning": reasoning.settled(asked.get("reasoning")),
        "text": formats.settled(asked.get("text")),
        "tools": shown_tools(asked.get("tools") or ()),
        "usage": None,
    }
    for name, default in DEFAULTS.items():
        response[name] = default if asked.get(name) is None else asked[name]
    if conversation_id is not None:
        response["conversation"] = {"id": conversation_id}
    if asked.get("prompt"):
        response["prompt"] = {"version": None, "variables": None, **asked["prompt"]}
    if asked.get("moderation"):
        response["moderation"] = None
    return {**response, "content_filters": None} if is_azure else response


def shown_tools(tools: Sequence[Json]) -> list[Json]:
    """The tools with what holds where the request says nothing, and without secrets."""
    return [_shown({**TOOL_DEFAULTS.get(kind_of(tool), {}), **tool}) for tool in tools]


def _shown(tool: Json) -> Json:
    if tool["type"] != "mcp":
        return tool
    from smalt.tools.mcp.server import shown

    return shown(tool)
