"""What a response is asked with keeps what clients send, in all the forms in which they send it."""

from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

import pytest
from jsonschema_rs import Draft202012Validator
from pydantic import BaseModel, TypeAdapter, ValidationError

from smalt.schemas.conversations import CreateConversationBody, CreateConversationItemsBody
from smalt.schemas.responses import AzureCreateResponse, ItemParam, ItemResource
from smalt.schemas.responses.content import ItemContent, MessageContentPart
from smalt.schemas.vocabulary import component_schemas

Json = dict[str, Any]

SHAPE = {"type": "object", "properties": {"city": {"type": "string"}}}
EVERYTHING: Json = {
    "model": "tiny",
    "input": [
        {"type": "message", "role": "user", "content": "Hello"},
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Look."},
                {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "original"},
                {"type": "input_file", "filename": "a.pdf", "file_data": "AA=="},
                {"type": "input_audio", "data": "AA==", "format": "wav"},
            ],
        },
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "phase": "final_answer",
            "content": [{"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []}],
        },
        {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": [{"type": "input_text", "text": "5"}]},
        {"type": "item_reference", "id": "rs_1"},
    ],
    "instructions": "Be brief.",
    "previous_response_id": None,
    "conversation": {"id": "conv_1"},
    "prompt": {
        "id": "pmpt_1",
        "version": "2",
        "variables": {"city": "Linz", "text": {"type": "input_text", "text": "…"}},
    },
    "stream": True,
    "stream_options": {"include_obfuscation": False},
    "background": False,
    "store": True,
    "include": ["file_search_call.results", "message.output_text.logprobs"],
    "tools": [
        {"type": "function", "name": "look", "parameters": SHAPE, "strict": True},
        {
            "type": "file_search",
            "vector_store_ids": ["vs_1"],
            "max_num_results": 5,
            "ranking_options": {"ranker": "auto", "score_threshold": 0.5},
            "filters": {"type": "and", "filters": [{"type": "eq", "key": "year", "value": 1851}]},
        },
        {"type": "web_search", "filters": {"allowed_domains": ["a.test"]}, "user_location": {"country": "AT"}},
        {"type": "code_interpreter", "container": "cntr_1"},
        {"type": "mcp", "server_label": "x", "server_url": "http://a.test/", "allowed_tools": ["look"]},
        {
            "type": "mcp",
            "server_label": "y",
            "server_url": "http://b.test/",
            "allowed_tools": {"read_only": True},
            "require_approval": {"never": {"tool_names": ["look"]}},
        },
        {"type": "custom", "name": "sql", "format": {"type": "grammar", "syntax": "lark", "definition": "start: X"}},
    ],
    "tool_choice": {"type": "mcp", "server_label": "x", "name": "look"},
    "parallel_tool_calls": False,
    "max_tool_calls": 3,
    "max_output_tokens": 16,
    "text": {"format": {"type": "json_schema", "name": "place", "schema": SHAPE, "strict": True}, "verbosity": "low"},
    "reasoning": {"effort": "low", "summary": "auto"},
    "truncation": "auto",
    "temperature": 0,
    "top_p": 0.5,
    "top_logprobs": 2,
    "metadata": {"a": "b"},
    "user": "me",
    "safety_identifier": "me",
    "service_tier": "flex",
    "prompt_cache_key": "k",
    "what_nobody_knows": 1,
}


def item(sent: Json) -> Json:
    return TypeAdapter(ItemParam).dump_python(TypeAdapter(ItemParam).validate_python(sent), exclude_unset=True)


def models(union: Any) -> Iterator[type[BaseModel]]:
    """The models that a union is made of, at any depth."""
    if isinstance(union, type):
        yield union
    elif hasattr(union, "__value__"):
        yield from models(union.__value__)
    elif get_origin(union) is Annotated:
        yield from models(get_args(union)[0])
    else:
        for one in get_args(union):
            yield from models(one)


def by_kind(union: Any) -> dict[str, type[BaseModel]]:
    """The models of a union of items by their type and role."""
    return {
        "".join(
            get_args(model.model_fields[name].annotation)[0] for name in ("type", "role") if name in model.model_fields
        ): model
        for model in models(union)
    }


def test_everything_that_is_asked_is_kept_as_it_was_sent() -> None:
    assert AzureCreateResponse.model_validate(EVERYTHING).model_dump(exclude_unset=True) == EVERYTHING


def test_everything_that_is_asked_fits_the_published_schema() -> None:
    schemas = component_schemas()
    document = {"$ref": "#/components/schemas/AzureCreateResponse", "components": {"schemas": schemas}}
    assert Draft202012Validator(document).is_valid(EVERYTHING)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"role": "user", "content": "Hi"}, {"type": "message", "role": "user", "content": "Hi"}),
        ({"role": "system", "content": "Hi"}, {"type": "message", "role": "system", "content": "Hi"}),
        ({"content": "Hi"}, {"type": "message", "role": "user", "content": "Hi"}),
        ({"id": "msg_1"}, {"type": "item_reference", "id": "msg_1"}),
        ({"id": "msg_1", "type": None}, {"type": "item_reference", "id": "msg_1"}),
    ],
)
def test_an_item_without_a_type_gets_the_one_that_it_has(sent: Json, kept: Json) -> None:
    before = dict(sent)
    assert item(sent) == kept
    assert sent == before


@pytest.mark.parametrize("sent", [{"role": "user", "content": "Hi"}, {"content": "Hi"}])
def test_only_a_reference_may_have_null_for_its_type(sent: Json) -> None:
    with pytest.raises(ValidationError, match="'None' found using 'type'"):
        item({**sent, "type": None})


def test_only_content_alone_is_taken_for_what_the_user_says() -> None:
    with pytest.raises(ValidationError, match="Unable to extract tag using discriminator 'type'"):
        item({"content": [], "summary": []})


def test_a_recording_may_be_in_an_object_of_its_own() -> None:
    newer = {"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}}
    kept = item({"role": "user", "content": [newer]})
    assert kept["content"] == [{"type": "input_audio", "data": "AA==", "format": "mp3"}]


def test_what_nobody_knows_of_an_item_is_dropped_since_items_are_kept_and_shown() -> None:
    sent = {"role": "user", "name": "me", "_told": {}, "content": [{"type": "input_text", "text": "Hi", "odd": 1}]}
    assert item(sent) == {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}


def test_everything_that_may_be_sent_of_an_item_may_be_shown_of_it() -> None:
    sent, shown = by_kind(ItemParam), by_kind(ItemResource)
    assert sent.keys() - shown.keys() == {"item_reference"}
    assert shown.keys() <= sent.keys()
    for kind in shown:
        assert sent[kind].model_fields.keys() <= shown[kind].model_fields.keys(), kind


def test_everything_that_may_be_sent_of_a_part_may_be_shown_of_it() -> None:
    sent, shown = by_kind(MessageContentPart), by_kind(ItemContent)
    assert sent.keys() == shown.keys()
    for kind in shown:
        assert sent[kind].model_fields.keys() == shown[kind].model_fields.keys(), kind


def test_a_body_keeps_its_items_without_what_was_left_out() -> None:
    body = CreateConversationBody.model_validate({"items": [{"role": "user", "content": "Hi"}]})
    assert body.model_dump(exclude_unset=True) == {"items": [{"type": "message", "role": "user", "content": "Hi"}]}


@pytest.mark.parametrize("count", [0, 21])
def test_a_conversation_takes_1_to_20_items_at_a_time(count: int) -> None:
    with pytest.raises(ValidationError):
        CreateConversationItemsBody.model_validate({"items": [{"role": "user", "content": "Hi"}] * count})


def test_a_filter_that_nests_too_deep_is_refused_before_anything_follows_it() -> None:
    deep: Json = {"type": "eq", "key": "a", "value": 1}
    for _ in range(100_000):
        deep = {"type": "and", "filters": [deep]}
    tool = {"type": "file_search", "vector_store_ids": ["vs_1"], "filters": deep}
    with pytest.raises(ValidationError, match="deeper"):
        AzureCreateResponse.model_validate({"model": "m", "tools": [tool]})
