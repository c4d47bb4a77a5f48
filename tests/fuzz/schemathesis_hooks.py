"""Helps schemathesis where a document cannot: streams, names that exist, and fields that go together."""

import os
import zlib
from collections import Counter
from typing import Any

import schemathesis
from schemathesis import Case, GenerationMode, HookContext
from schemathesis.generation.meta import CoveragePhaseData, CoverageScenario

KNOWN = {"model": "echo", "completion_id": os.environ.get("STORED_COMPLETION_ID", "")}
NOT_SERVED = ("data_sources", "audio", "modalities", "web_search_options")
# What is put into them is what /responses takes as its input, which is tried in all its ways.
CONVERSATIONS = ("/conversations", "/conversations/{conversation_id}/items")
USER = {"role": "user", "content": "Good morning."}
WRONG_TYPES = 5
"""As many wrong types as a place in a schema usually has: null, a number, a text, an array, an object."""

tried = Counter[tuple[str, str, str | None, str | None]]()
"""How many wrong types each place of each operation has been offered."""


@schemathesis.hook
def before_load_schema(context: HookContext, raw_schema: dict[str, Any]) -> None:
    """Say of each stream what schemathesis asks for: events whose data is a chunk, an error or the end."""
    for path in raw_schema["paths"].values():
        for operation in path.values():
            stream = operation["responses"]["200"].get("content", {}).get("text/event-stream")
            if stream:
                stream["schema"] = events_of(stream["schema"])


def events_of(chunk: dict[str, Any]) -> dict[str, Any]:
    error = {"$ref": "#/components/schemas/AzureErrorResponse"}
    json_data = {"contentMediaType": "application/json", "contentSchema": {"anyOf": [chunk, error]}}
    return {"type": "object", "required": ["data"], "properties": {"data": {"anyOf": [{"const": "[DONE]"}, json_data]}}}


@schemathesis.hook
def filter_case(context: HookContext, case: Case) -> bool:
    """Thin out what the coverage phase makes thousands of and what is much alike."""
    data = case.meta.phase.data if case.meta else None
    if not isinstance(data, CoveragePhaseData):
        return True
    if case.method == "POST" and case.operation.path in CONVERSATIONS:
        return zlib.crc32(repr(case.body).encode()) % 8 == 0
    if data.scenario is CoverageScenario.INCORRECT_TYPE:
        return is_tried((case.method, case.operation.path, data.parameter, data.location))
    return True


def is_tried(place: tuple[str, str, str | None, str | None]) -> bool:
    """Of the wrong types, a place gets the first that is made and one more, which differs from place to place."""
    number = tried[place]
    tried[place] += 1
    return number in {0, zlib.crc32(repr(place).encode()) % WRONG_TYPES}


@schemathesis.hook
def before_call(context: HookContext, case: Case, kwargs: dict[str, Any]) -> None:
    """Name what exists, in the body and in half of the paths; let fields agree where the data shall be valid."""
    if isinstance(case.body, dict):
        for asked in (case.body, case.body.get("moderation")):
            if isinstance(asked, dict) and isinstance(asked.get("model"), str):
                asked["model"] = KNOWN["model"]
        if case.meta and case.meta.generation.mode is GenerationMode.POSITIVE:
            agree(case.body)
    for name, value in (case.path_parameters or {}).items():
        if name in KNOWN and isinstance(value, str) and len(value) % 2:
            case.path_parameters[name] = KNOWN[name]


def agree(body: dict[str, Any]) -> None:
    """Keep the rules between fields, and leave out what is not served yet."""
    for name in NOT_SERVED:
        body.pop(name, None)
    if "messages" in body or "prompt" in body:
        # Left to chance, hardly any request would ask for a stream and be right otherwise.
        body["stream"] = len(str(body)) % 2 == 0
    if body.get("top_logprobs") is not None:
        body["logprobs"] = True
    if not body.get("stream"):
        body.pop("stream_options", None)
    if body.get("max_completion_tokens") is not None:
        body.pop("max_tokens", None)
    if isinstance(body.get("best_of"), int):
        body["best_of"] = max(body["best_of"], body.get("n") or 1)
    if "messages" in body:
        agree_in_chat(body)


def agree_in_chat(body: dict[str, Any]) -> None:
    """The rules between the messages and between the kinds of tools."""
    body["messages"] = [each for each in body["messages"] if each["role"] != "tool"] or [USER]
    for message in body["messages"]:
        if message["role"] == "assistant":
            message["content"] = message.get("content") or "Yes."
    if body.get("tools"):
        body["tools"] = [tool for tool in body["tools"] if tool["type"] == "function"]
        body.pop("functions", None)
        body.pop("function_call", None)
    if not body.get("tools"):
        for name in ("tools", "tool_choice", "parallel_tool_calls"):
            body.pop(name, None)
