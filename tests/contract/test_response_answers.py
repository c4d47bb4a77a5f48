"""Responses, their items and events fit our schemas in the shapes of the real services, and the SDK reads them."""

from functools import cache
from typing import Any, get_args

import openai.types.responses as sdk
import pytest
from openai.types.conversations import Conversation, ConversationItem
from pydantic import TypeAdapter, ValidationError

from smalt.schemas.responses.events import ResponseStreamEvent, ResponseStreamEventType
from smalt.schemas.responses.items import ItemType
from smalt.schemas.vocabulary import check_answer

Json = dict[str, Any]

TOKEN = {"token": "Hi", "logprob": -0.01, "bytes": [72, 105]}
LOGPROB = {**TOKEN, "top_logprobs": [TOKEN]}
FILE_CITATION = {"type": "file_citation", "file_id": "file-1", "filename": "sea.pdf", "index": 2}
URL_CITATION = {"type": "url_citation", "url": "http://a.test/", "title": "A", "start_index": 0, "end_index": 2}
CONTAINER_CITATION = {
    "type": "container_file_citation",
    "container_id": "cntr_1",
    "file_id": "cfile_1",
    "filename": "plot.png",
    "start_index": 0,
    "end_index": 2,
}
TEXT = {
    "type": "output_text",
    "text": "Hi",
    "annotations": [FILE_CITATION, URL_CITATION, CONTAINER_CITATION],
    "logprobs": [LOGPROB],
}
REFUSAL = {"type": "refusal", "refusal": "No."}
FOUND = {"file_id": "file-1", "filename": "sea.pdf", "text": "…", "score": 0.5, "attributes": {"year": 1851}}
SHELL = {"type": "exec", "command": ["ls"], "env": {}, "timeout_ms": None, "user": None, "working_directory": None}
MCP = {"server_label": "x", "name": "look", "arguments": "{}"}
LISTED = {"name": "look", "description": "…", "input_schema": {"type": "object"}, "annotations": {"read_only": False}}
MCP_ERROR = {"type": "mcp_tool_execution_error", "content": [{"type": "text", "text": "…"}]}


def message(role: str = "assistant", *parts: Json, status: str = "completed") -> Json:
    return {"id": "msg_1", "type": "message", "status": status, "content": list(parts), "role": role}


def call(kind: str, **fields: Any) -> Json:
    return {"id": "x_1", "type": kind, "status": "completed", **fields}


OUTPUT: dict[str, Json] = {
    "a message that begins": message(status="in_progress"),
    "a message": message("assistant", TEXT, REFUSAL),
    "a function call": call("function_call", call_id="call_1", name="f", arguments="{}"),
    "a file search": call("file_search_call", queries=["sea"], results=None),
    "a file search with its results": call("file_search_call", queries=["sea"], results=[FOUND]),
    "a run of code that begins": {
        **call("code_interpreter_call", code="", container_id="cntr_1", outputs=None),
        "status": "in_progress",
    },
    "a run of code": call(
        "code_interpreter_call",
        code="print(1)",
        container_id="cntr_1",
        outputs=[{"type": "logs", "logs": "1"}, {"type": "image", "url": "data:image/png;base64,AA=="}],
    ),
    "listed tools": {"id": "mcpl_1", "type": "mcp_list_tools", "server_label": "x", "tools": [LISTED]},
    "a call of a server's tool": call("mcp_call", **MCP, approval_request_id=None, error=None, output="…"),
    "a server's tool that failed": {
        **call("mcp_call", **MCP, approval_request_id=None, error=MCP_ERROR, output=None),
        "status": "failed",
    },
    "a request for approval": {"id": "mcpr_1", "type": "mcp_approval_request", **MCP},
    "an image": call(
        "image_generation_call",
        background="opaque",
        output_format="png",
        quality="low",
        result="AA==",
        revised_prompt="…",
        size="1024x1024",
    ),
    "a web search": call("web_search_call", action={"type": "search", "query": "sea"}),
    "a thought": {
        "id": "rs_1",
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "…"}],
        "content": [{"type": "reasoning_text", "text": "…"}],
        "encrypted_content": "…",
    },
    "a click": call(
        "computer_call",
        call_id="call_1",
        action={"type": "click", "button": "left", "x": 1, "y": 2},
        pending_safety_checks=[{"id": "cu_1", "code": "c", "message": "…"}],
    ),
    "a command": call("local_shell_call", call_id="call_1", action=SHELL),
    "a custom tool's call": call("custom_tool_call", call_id="call_1", name="f", input="…"),
}
INPUT: dict[str, Json] = {
    "what a user says": message(
        "user",
        {"type": "input_text", "text": "Look."},
        {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,AA==", "file_id": None},
        {"type": "input_file", "file_id": "file-1"},
    ),
    "a recording": message("user", {"type": "input_audio", "data": "AA==", "format": "wav"}),
    "instructions": message("developer", {"type": "input_text", "text": "Be brief."}),
    "what a function returned": call("function_call_output", call_id="call_1", output="5"),
    "pictures that a function returned": call(
        "function_call_output",
        call_id="call_1",
        output=[{"type": "input_image", "detail": "low", "image_url": "data:image/png;base64,AA=="}],
    ),
    "what a screen shows": call(
        "computer_call_output",
        call_id="call_1",
        output={"type": "computer_screenshot", "image_url": "data:image/png;base64,AA=="},
        acknowledged_safety_checks=[{"id": "cu_1"}],
    ),
    "what a command printed": call("local_shell_call_output", output="…"),
    "an approval": {
        "id": "mcpa_1",
        "type": "mcp_approval_response",
        "approval_request_id": "mcpr_1",
        "approve": True,
        "reason": None,
    },
    "what a custom tool returned": call("custom_tool_call_output", call_id="call_1", output="…"),
}
ITEMS = OUTPUT | INPUT
USAGE = {
    "input_tokens": 9,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens": 9,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 18,
}


def response(**fields: Any) -> Json:
    """A response as it begins."""
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1757000000,
        "status": "in_progress",
        "background": False,
        "completed_at": None,
        "error": None,
        "frequency_penalty": 0.0,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "model": "m",
        "output": [],
        "parallel_tool_calls": True,
        "presence_penalty": 0.0,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "auto",
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
        "user": None,
        "metadata": {},
        **fields,
    }


TOOLS: list[Json] = [
    {"type": "function", "name": "f", "description": None, "parameters": {"type": "object"}, "strict": True},
    {"type": "file_search", "vector_store_ids": ["vs_1"], "filters": {"type": "eq", "key": "a", "value": 1}},
    {"type": "computer_use_preview", "environment": "browser", "display_width": 800, "display_height": 600},
    {"type": "web_search_preview", "user_location": {"type": "approximate", "country": "AT"}},
    {"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file-1"]}},
    {"type": "image_generation", "size": "1024x1024"},
    {"type": "local_shell"},
    {"type": "mcp", "server_label": "x", "server_url": "http://a.test/", "require_approval": "never"},
]
RESPONSES: dict[str, Json] = {
    "a response that begins": response(),
    "a whole response": response(
        status="completed", completed_at=1757000001, output=list(OUTPUT.values()), usage=USAGE, service_tier="default"
    ),
    "a response that failed": response(status="failed", error={"code": "server_error", "message": "…"}),
    "a response that was cut off": response(status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
    "a response of a template": response(
        instructions=[message("developer", {"type": "input_text", "text": "…"})],
        prompt={"id": "pmpt_1", "version": "2", "variables": {"city": "Linz"}},
    ),
    "a response with tools": response(tools=TOOLS, tool_choice={"type": "function", "name": "f"}),
    "a response that may use some tools": response(
        tools=TOOLS, tool_choice={"type": "allowed_tools", "mode": "required", "tools": [{"type": "file_search"}]}
    ),
    "a response in a form": response(
        text={"format": {"type": "json_schema", "name": "p", "schema": {"type": "object"}, "strict": True}}
    ),
    "a response of a conversation": response(conversation={"id": "conv_1"}),
}

OF_ITEM = {"item_id": "x_1", "output_index": 0}
OF_PART = {**OF_ITEM, "content_index": 0}
OF_SUMMARY = {**OF_ITEM, "summary_index": 0}
SUMMARY = {"type": "summary_text", "text": "…"}
EVENTS: dict[str, Json] = {
    **{
        f"response.{state}": {"response": response()}
        for state in ("created", "queued", "in_progress", "completed", "failed", "incomplete")
    },
    "error": {"code": "server_error", "message": "…", "param": None},
    "response.output_item.added": {"output_index": 0, "item": message(status="in_progress")},
    "response.output_item.done": {"output_index": 0, "item": message("assistant", TEXT)},
    "response.content_part.added": {**OF_PART, "part": TEXT},
    "response.content_part.done": {**OF_PART, "part": REFUSAL},
    "response.output_text.delta": {**OF_PART, "delta": "Hi", "logprobs": [LOGPROB], "obfuscation": "k3"},
    "response.output_text.done": {**OF_PART, "text": "Hi", "logprobs": []},
    "response.output_text.annotation.added": {**OF_PART, "annotation_index": 0, "annotation": FILE_CITATION},
    "response.refusal.delta": {**OF_PART, "delta": "No"},
    "response.refusal.done": {**OF_PART, "refusal": "No."},
    "response.audio.delta": {"delta": "AA=="},
    "response.audio.done": {},
    "response.audio_transcript.delta": {"delta": "Hi"},
    "response.audio_transcript.done": {},
    "response.function_call_arguments.delta": {**OF_ITEM, "delta": "{"},
    "response.function_call_arguments.done": {**OF_ITEM, "name": "f", "arguments": "{}"},
    "response.custom_tool_call_input.delta": {**OF_ITEM, "delta": "…"},
    "response.custom_tool_call_input.done": {**OF_ITEM, "input": "…"},
    **{f"response.file_search_call.{state}": OF_ITEM for state in ("in_progress", "searching", "completed")},
    **{f"response.web_search_call.{state}": OF_ITEM for state in ("in_progress", "searching", "completed")},
    **{f"response.code_interpreter_call.{state}": OF_ITEM for state in ("in_progress", "interpreting", "completed")},
    "response.code_interpreter_call_code.delta": {**OF_ITEM, "delta": "1"},
    "response.code_interpreter_call_code.done": {**OF_ITEM, "code": "1"},
    **{f"response.image_generation_call.{state}": OF_ITEM for state in ("in_progress", "generating", "completed")},
    "response.image_generation_call.partial_image": {**OF_ITEM, "partial_image_index": 0, "partial_image_b64": "AA=="},
    **{f"response.mcp_list_tools.{state}": OF_ITEM for state in ("in_progress", "completed", "failed")},
    **{f"response.mcp_call.{state}": OF_ITEM for state in ("in_progress", "completed", "failed")},
    "response.mcp_call.arguments_delta": {**OF_ITEM, "delta": "{}"},
    "response.mcp_call.arguments_done": {**OF_ITEM, "arguments": "{}"},
    "response.reasoning.delta": {**OF_PART, "delta": "Hm"},
    "response.reasoning.done": {**OF_PART, "text": "Hm."},
    "response.reasoning_summary_part.added": {**OF_SUMMARY, "part": SUMMARY},
    "response.reasoning_summary_part.done": {**OF_SUMMARY, "part": SUMMARY},
    "response.reasoning_summary_text.delta": {**OF_SUMMARY, "delta": "…"},
    "response.reasoning_summary_text.done": {**OF_SUMMARY, "text": "…"},
    "response.reasoning_summary.delta": {**OF_SUMMARY, "delta": "…"},
    "response.reasoning_summary.done": {**OF_SUMMARY, "text": "…"},
}
OPENAI_NAMES = {
    "response.audio_transcript.delta": "response.audio.transcript.delta",
    "response.audio_transcript.done": "response.audio.transcript.done",
    "response.mcp_call.arguments_delta": "response.mcp_call_arguments.delta",
    "response.mcp_call.arguments_done": "response.mcp_call_arguments.done",
    "response.reasoning.delta": "response.reasoning_text.delta",
    "response.reasoning.done": "response.reasoning_text.done",
}
UNKNOWN_TO_OPENAI = {"response.reasoning_summary.delta", "response.reasoning_summary.done"}
UNKNOWN_TO_THE_SDK = {
    # The v1 page has it, the SDK's own kinds of content do not.
    "a recording",
}


def event(name: str, **fields: Any) -> Json:
    return {"type": name, **EVENTS[name], "sequence_number": 3, **fields}


@cache
def sdk_adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def read_by_the_sdk(kind: Any, value: Any) -> None:
    sdk_adapter(kind).validate_python(value)


@pytest.mark.parametrize("name", ITEMS)
def test_an_item_fits_its_schema(name: str) -> None:
    check_answer("ItemResource", ITEMS[name])
    with pytest.raises(ValidationError, match="extra_forbidden"):
        check_answer("ItemResource", {**ITEMS[name], "invented": 1})


@pytest.mark.parametrize("name", OUTPUT)
def test_the_sdk_reads_an_output_item(name: str) -> None:
    read_by_the_sdk(sdk.ResponseOutputItem, OUTPUT[name])


@pytest.mark.parametrize("name", sorted(ITEMS.keys() - UNKNOWN_TO_THE_SDK))
def test_the_sdk_reads_a_kept_item(name: str) -> None:
    read_by_the_sdk(sdk.ResponseItem, ITEMS[name])
    read_by_the_sdk(ConversationItem, ITEMS[name])


@pytest.mark.parametrize("name", ITEMS)
def test_an_item_may_be_sent_back_as_it_came(name: str) -> None:
    check_answer("ItemParam", ITEMS[name])


@pytest.mark.parametrize("name", RESPONSES)
def test_a_response_fits_its_schema_and_the_sdk_s(name: str) -> None:
    check_answer("AzureResponse", RESPONSES[name])
    read_by_the_sdk(sdk.Response, RESPONSES[name])
    with pytest.raises(ValidationError, match="extra_forbidden"):
        check_answer("AzureResponse", {**RESPONSES[name], "invented": 1})


@pytest.mark.parametrize("field", response())
def test_a_field_of_a_response_is_null_but_never_absent(field: str) -> None:
    with pytest.raises(ValidationError, match="missing"):
        check_answer("AzureResponse", {name: value for name, value in response().items() if name != field})


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("a file search", "results"),
        ("a run of code", "outputs"),
        ("a call of a server's tool", "approval_request_id"),
        ("a call of a server's tool", "error"),
        ("a function call", "status"),
    ],
)
def test_a_field_of_an_item_is_null_but_never_absent(kind: str, field: str) -> None:
    with pytest.raises(ValidationError, match="missing"):
        check_answer("ItemResource", {name: value for name, value in ITEMS[kind].items() if name != field})


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_fits_its_schema_and_only_with_its_number(name: str) -> None:
    check_answer("ResponseStreamEvent", event(name))
    with pytest.raises(ValidationError, match="extra_forbidden"):
        check_answer("ResponseStreamEvent", event(name, invented=1))
    with pytest.raises(ValidationError, match="missing"):
        check_answer("ResponseStreamEvent", {"type": name, **EVENTS[name]})


@pytest.mark.parametrize("name", sorted(EVENTS.keys() - UNKNOWN_TO_OPENAI))
def test_the_sdk_reads_an_event_by_openai_s_name(name: str) -> None:
    renamed = {**event(name), "type": OPENAI_NAMES.get(name, name)}
    check_answer("ResponseStreamEvent", renamed)
    read_by_the_sdk(sdk.ResponseStreamEvent, renamed)


def test_every_event_of_the_reference_has_a_schema_and_an_example_here() -> None:
    assert EVENTS.keys() == set(get_args(ResponseStreamEventType.__value__))
    union = get_args(get_args(ResponseStreamEvent.__value__)[0])
    known = {name for one in union for name in get_args(one.model_fields["type"].annotation)}
    assert known == EVENTS.keys() | set(OPENAI_NAMES.values())


def test_every_kind_of_item_has_an_example_here() -> None:
    kinds = set(get_args(ItemType.__value__)) - {"item_reference"}
    assert {item["type"] for item in ITEMS.values()} == kinds


def test_pages_and_leavings_fit_their_schemas() -> None:
    page = {"object": "list", "data": [message()], "first_id": "msg_1", "last_id": "msg_1", "has_more": False}
    empty = {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
    check_answer("ResponseItemList", page)
    check_answer("ConversationItemList", page)
    check_answer("ConversationItemList", empty)
    check_answer("ContainerListResource", empty)
    check_answer("ContainerFileListResource", empty)
    check_answer("DeleteResponse", {"id": "resp_1", "object": "response.deleted", "deleted": True})
    check_answer("DeletedConversationResource", {"id": "conv_1", "object": "conversation.deleted", "deleted": True})


def test_a_conversation_and_a_container_fit_their_schemas() -> None:
    conversation = {"id": "conv_1", "object": "conversation", "created_at": 1, "metadata": {"a": "b"}}
    check_answer("ConversationResource", conversation)
    read_by_the_sdk(Conversation, conversation)
    container = {
        "id": "cntr_1",
        "object": "container",
        "created_at": 1,
        "name": "mine",
        "status": "running",
        "last_active_at": 2,
        "expires_after": {"anchor": "last_active_at", "minutes": 20},
        "memory_limit": "1g",
        "network_policy": {"type": "disabled"},
    }
    check_answer("ContainerResource", container)
    file = {
        "id": "cfile_1",
        "object": "container.file",
        "container_id": "cntr_1",
        "created_at": 1,
        "bytes": 3,
        "path": "/mnt/data/a.txt",
        "source": "user",
    }
    check_answer("ContainerFileResource", file)
