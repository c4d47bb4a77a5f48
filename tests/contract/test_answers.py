"""Answers of the shapes that the real services send fit our schemas, and nothing else does."""

from typing import Any

import pytest
from pydantic import ValidationError

from smalt.schemas.vocabulary import adapter, check_answer, vocabulary
from smalt.schemas.wire import Wire

SAFE = {"filtered": False, "severity": "safe"}
HARMS = {"hate": SAFE, "self_harm": SAFE, "sexual": SAFE, "violence": SAFE}
CLEAN = {"filtered": False, "detected": False}
TOKEN = {"token": "Hi", "logprob": -0.01, "bytes": [72, 105]}
USAGE = {
    "prompt_tokens": 9,
    "completion_tokens": 9,
    "total_tokens": 18,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 0,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}
HEAD = {"id": "chatcmpl-1", "created": 1757000000, "model": "m", "system_fingerprint": None}
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}


def whole(**message: Any) -> dict[str, Any]:
    said = {"role": "assistant", "content": "Hi", "refusal": None, "annotations": [], **message}
    choice = {"index": 0, "message": said, "finish_reason": "stop", "logprobs": None}
    return {**HEAD, "object": "chat.completion", "choices": [choice], "usage": USAGE}


def chunk(*choices: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {**HEAD, "object": "chat.completion.chunk", "choices": list(choices), **fields}


def piece(delta: dict[str, Any], finish_reason: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None, **fields}


LATE_RESULT = {
    "index": 0,
    "finish_reason": None,
    "content_filter_offsets": {"check_offset": 105, "start_offset": 105, "end_offset": 992},
    "content_filter_results": {
        **HARMS,
        "custom_blocklists": {"filtered": True, "details": [{"filtered": True, "id": "fruit"}]},
    },
}
CONTEXT = {
    "citations": [{"content": "…", "title": "…", "url": None, "filepath": "x.md", "chunk_id": "0"}],
    "intent": '["…"]',
    "all_retrieved_documents": [
        {
            "content": "…",
            "search_queries": ["…"],
            "data_source_index": 0,
            "original_search_score": 1.5,
            "filter_reason": "rerank",
        }
    ],
}
FILTERED_PROMPT = {
    "error": {
        "message": "…",
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_result": {**HARMS, "jailbreak": CLEAN, "violence": {"filtered": True, "severity": "high"}},
        },
    }
}
CLASSIC_MODEL = {
    "id": "tiny",
    "object": "model",
    "status": "succeeded",
    "created_at": 1,
    "capabilities": dict.fromkeys(("fine_tune", "inference", "completion", "chat_completion", "embeddings"), False),
    "lifecycle_status": "generally-available",
    "deprecation": {"fine_tune": 2, "inference": 2},
}

ANSWERS: list[tuple[str, str, Any]] = [
    ("a plain answer", "AzureCreateChatCompletionResponse", whole()),
    ("a thoughtful answer", "AzureCreateChatCompletionResponse", whole(reasoning_content="Hm.")),
    ("tool calls", "AzureCreateChatCompletionResponse", whole(content=None, tool_calls=[CALL])),
    ("an answer with sources", "AzureCreateChatCompletionResponse", whole(context=CONTEXT, end_turn=True)),
    (
        "a choice that the filter has blocked",
        "AzureCreateChatCompletionResponse",
        {
            **whole(),
            "choices": [
                {
                    "content_filter_results": {**HARMS, "violence": {"filtered": True, "severity": "high"}},
                    "finish_reason": "content_filter",
                    "index": 0,
                    "logprobs": None,
                }
            ],
        },
    ),
    (
        "the prompt's results in a stream",
        "AzureCreateChatCompletionStreamResponse",
        {
            "id": "",
            "object": "",
            "created": 0,
            "model": "",
            "choices": [],
            "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {**HARMS, "jailbreak": CLEAN}}],
        },
    ),
    (
        "the first chunk",
        "AzureCreateChatCompletionStreamResponse",
        chunk(piece({"role": "assistant", "content": "", "refusal": None}), usage=None, obfuscation="k3"),
    ),
    (
        "a chunk of a tool call",
        "AzureCreateChatCompletionStreamResponse",
        chunk(piece({"tool_calls": [{"index": 0, "function": {"arguments": '{"'}}]}, content_filter_results={})),
    ),
    (
        "a chunk with log-probabilities",
        "AzureCreateChatCompletionStreamResponse",
        chunk(piece({"content": "Hi"}, logprobs={"content": [{**TOKEN, "top_logprobs": [TOKEN]}], "refusal": None})),
    ),
    ("the last chunk", "AzureCreateChatCompletionStreamResponse", chunk(piece({}, "stop"))),
    ("the usage chunk", "AzureCreateChatCompletionStreamResponse", chunk(usage=USAGE, service_tier="default")),
    ("a filter's late result", "AzureCreateChatCompletionStreamResponse", chunk(LATE_RESULT)),
    (
        "a text completion",
        "CreateCompletionResponse",
        {
            "id": "cmpl-1",
            "object": "text_completion",
            "created": 1,
            "model": "m",
            "choices": [
                {
                    "index": 0,
                    "text": " Hi",
                    "finish_reason": "length",
                    "logprobs": {
                        "text_offset": [0, 4],
                        "token_logprobs": [None, -0.5],
                        "tokens": ["Once", " Hi"],
                        "top_logprobs": [None, {" Hi": -0.5}],
                    },
                }
            ],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        },
    ),
    (
        "embeddings as numbers and as base64",
        "CreateEmbeddingResponse",
        {
            "object": "list",
            "model": "m",
            "data": [
                {"object": "embedding", "index": 0, "embedding": [0.6, 0.8]},
                {"object": "embedding", "index": 1, "embedding": "mpkZP83MTD8="},
            ],
            "usage": {"prompt_tokens": 2, "total_tokens": 2},
        },
    ),
    (
        "models",
        "ListModelsResponse",
        {"object": "list", "data": [{"id": "m", "object": "model", "created": 1, "owned_by": "smalt"}]},
    ),
    ("classic models", "ClassicModelList", {"object": "list", "data": [CLASSIC_MODEL]}),
    (
        "no stored completions",
        "ChatCompletionList",
        {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False},
    ),
    (
        "stored completions",
        "ChatCompletionList",
        {
            "object": "list",
            "data": [{**whole(), "request_id": "req_1", "metadata": {"a": "b"}, "temperature": 1.0, "tools": None}],
            "first_id": "chatcmpl-1",
            "last_id": "chatcmpl-1",
            "has_more": False,
        },
    ),
    (
        "a deleted completion",
        "ChatCompletionDeleted",
        {"object": "chat.completion.deleted", "id": "chatcmpl-1", "deleted": True},
    ),
    ("a classic failure", "AzureErrorResponse", {"error": {"code": "DeploymentNotFound", "message": "…"}}),
    ("a filtered prompt", "AzureErrorResponse", FILTERED_PROMPT),
    ("a failure", "ErrorResponse", {"error": {"message": "…", "type": "server_error", "param": None, "code": None}}),
]


@pytest.mark.parametrize(("schema", "answer"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
def test_a_real_answer_fits_its_schema(schema: str, answer: Any) -> None:
    check_answer(schema, answer)


@pytest.mark.parametrize(("schema", "answer"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
def test_an_answer_with_a_field_of_nobody_s_does_not(schema: str, answer: Any) -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        check_answer(schema, {**answer, "invented": 1})


@pytest.mark.parametrize("field", ["id", "object", "created", "model", "choices"])
def test_an_answer_that_lacks_a_field_does_not(field: str) -> None:
    with pytest.raises(ValidationError, match="missing"):
        check_answer("AzureCreateChatCompletionResponse", {k: v for k, v in whole().items() if k != field})


def test_an_answer_with_a_number_as_a_string_does_not() -> None:
    with pytest.raises(ValidationError, match="int_type"):
        check_answer("AzureCreateChatCompletionResponse", {**whole(), "created": "1757000000"})


def test_every_schema_of_the_vocabulary_can_be_built() -> None:
    for name in vocabulary():
        adapter(name).rebuild()


def test_answers_forbid_what_they_do_not_name() -> None:
    answers = [one for one in vocabulary().values() if isinstance(one, type) and issubclass(one, Wire)]
    assert len(answers) > 40
    assert {one.model_config.get("extra") for one in answers} == {"forbid"}
