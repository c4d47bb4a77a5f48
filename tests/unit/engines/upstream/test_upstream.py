"""What goes to an upstream and how its answers are read."""

import asyncio
import json
from base64 import b64encode
from struct import pack
from typing import Any

import pytest
from aiohttp import web

from smalt.core.errors import ApiError, UpstreamFailed
from smalt.engines.protocols import ChatDelta, ChatEvent, CompletionDelta, Serving, TokenLogprob, ToolCallDelta, Usage
from smalt.schemas.chat import AzureCreateChatCompletionRequest
from smalt.schemas.completions import CreateCompletionRequest

HI = [{"role": "user", "content": "Hi"}]
COUNTS = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5, "prompt_tokens_details": {"cached_tokens": 1}}
HEAD = {"id": "chatcmpl-1", "created": 1, "model": "their-real-name", "system_fingerprint": "fp_1"}


def chat(**fields: Any) -> AzureCreateChatCompletionRequest:
    return AzureCreateChatCompletionRequest.model_validate({"model": "ours", "messages": HI, **fields})


def whole(*choices: dict[str, Any]) -> Any:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response({**HEAD, "object": "chat.completion", "choices": list(choices), "usage": COUNTS})

    return answer


def piece(delta: dict[str, Any], finish_reason: str | None = None, **fields: Any) -> dict[str, Any]:
    return {**HEAD, "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason, **fields}]}


def events(*chunks: dict[str, Any]) -> bytes:
    return b"".join(b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n" for chunk in chunks)


def stream(sent: bytes, *, size: int = 10_000, cut: bool = False) -> Any:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for start in range(0, len(sent), size):
            await response.write(sent[start : start + size])
            await asyncio.sleep(0)
        if cut:
            request.transport.close()
        return response

    return answer


DONE = b"data: [DONE]\n\n"
WHOLE = whole({"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"})
STREAMED = (
    events(piece({"role": "assistant", "content": ""}), piece({"content": "Hel"}), piece({"content": "lo"}))
    + events(piece({}, "stop"), {**HEAD, "choices": [], "usage": COUNTS})
    + DONE
)
USED = Usage(3, 2, cached_tokens=1)


async def heard(answer: Any) -> list[ChatEvent]:
    return [event async for event in answer]


async def test_a_whole_answer_is_asked_for_whole_and_read_as_events(stub: Any, open_engine: Any):
    stub.handlers = [WHOLE]
    told = await heard(open_engine().chat(chat(temperature=0.5)))
    assert told == [Serving("their-real-name", "fp_1"), ChatDelta(0, "Hello", finish_reason="stop"), USED]
    assert stub.bodies == [{"model": "their-name", "messages": HI, "temperature": 0.5}]
    assert stub.requests[0].path == "/v1/chat/completions"
    assert stub.requests[0].headers["Authorization"] == "Bearer sk-very-secret-key"


async def test_a_stream_is_asked_for_with_usage_and_read_as_it_comes(stub: Any, open_engine: Any):
    stub.handlers = [stream(STREAMED)]
    told = await heard(open_engine().chat(chat(stream=True)))
    texts = [event.content for event in told if isinstance(event, ChatDelta)]
    assert texts == ["", "Hel", "lo", None]
    assert told[-1] == USED
    assert stub.bodies[0]["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("size", [1, 7])
async def test_a_stream_may_come_in_any_pieces_with_any_line_ends(stub: Any, open_engine: Any, size: int):
    sent = b": ping\r\n\r\n" + (events(piece({"content": "héé 🌊"}), piece({}, "stop")) + DONE).replace(b"\n", b"\r\n")
    stub.handlers = [stream(sent, size=size)]
    told = await heard(open_engine().chat(chat(stream=True)))
    assert [event.content for event in told if isinstance(event, ChatDelta)] == ["héé 🌊", None]


async def test_what_we_do_not_know_is_passed_on_and_what_is_ours_is_not(stub: Any, open_engine: Any):
    stub.handlers = [WHOLE]
    body = chat(store=True, metadata={"a": "b"}, user_security_context={}, top_k=5, messages=[{**HI[0], "extra": 1}])
    await heard(open_engine().chat(body))
    assert stub.bodies == [{"model": "their-name", "messages": [{**HI[0], "extra": 1}], "top_k": 5}]


async def test_a_schema_goes_out_under_its_own_name(stub: Any, open_engine: Any):
    stub.handlers = [WHOLE]
    form = {"type": "json_schema", "json_schema": {"name": "p", "schema": {"type": "object"}}}
    await heard(open_engine().chat(chat(response_format=form)))
    assert stub.bodies[0]["response_format"] == form


async def test_tool_calls_thoughts_refusals_and_log_probabilities_are_read(stub: Any, open_engine: Any):
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "look", "arguments": ""}}
    scores = {"content": [{"token": "H", "logprob": -1, "bytes": [72], "top_logprobs": []}], "refusal": None}
    sent = events(
        piece({"reasoning": "Hm."}),
        piece({"content": "H"}, logprobs=scores),
        piece({"refusal": "No"}),
        piece({"tool_calls": [call]}),
        piece({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}),
        piece({}, "tool_calls"),
    )
    stub.handlers = [stream(sent + DONE)]
    told = [event for event in await heard(open_engine().chat(chat(stream=True))) if isinstance(event, ChatDelta)]
    assert told == [
        ChatDelta(reasoning_content="Hm."),
        ChatDelta(content="H", logprobs=(TokenLogprob("H", -1, (72,)),)),
        ChatDelta(refusal="No"),
        ChatDelta(tool_calls=(ToolCallDelta(0, "", "call_1", "look"),)),
        ChatDelta(tool_calls=(ToolCallDelta(0, "{}"),)),
        ChatDelta(finish_reason="tool_calls"),
    ]


async def test_azures_first_chunk_and_late_filter_results_are_no_answers(stub: Any, open_engine: Any):
    first = {"id": "", "model": "", "object": "", "created": 0, "choices": [], "prompt_filter_results": []}
    late = {"choices": [{"index": 0, "finish_reason": None, "content_filter_offsets": {}}], "model": "", "id": ""}
    stub.handlers = [stream(events(first, piece({"content": "Hi"}), piece({}, "stop"), late) + DONE)]
    told = await heard(open_engine().chat(chat(stream=True)))
    assert told == [Serving("their-real-name", "fp_1"), ChatDelta(content="Hi"), ChatDelta(finish_reason="stop")]


async def test_a_filtered_whole_answer_without_a_message_is_read(stub: Any, open_engine: Any):
    stub.handlers = [whole({"index": 0, "finish_reason": "content_filter"})]
    assert ChatDelta(finish_reason="content_filter") in await heard(open_engine().chat(chat()))


async def test_text_completions_are_read_with_their_log_probabilities(stub: Any, open_engine: Any):
    logprobs = {"tokens": ["a", "b"], "token_logprobs": [None, -1.0], "top_logprobs": [None, {"b": -1.0}]}
    stub.handlers = [whole({"index": 0, "text": "ab", "logprobs": logprobs, "finish_reason": "length"})]
    body = CreateCompletionRequest(model="ours", prompt="x")
    told = [event async for event in open_engine().complete(body)]
    (delta,) = [event for event in told if isinstance(event, CompletionDelta)]
    assert (delta.text, delta.finish_reason) == ("ab", "length")
    assert delta.logprobs is not None
    assert delta.logprobs[0].logprob != delta.logprobs[0].logprob, "not a number"
    assert delta.logprobs[1].top[0].token == "b"
    assert stub.requests[0].path == "/v1/completions"


@pytest.mark.parametrize("as_text", [True, False])
async def test_embeddings_are_read_from_base64_and_from_numbers_in_any_order(
    stub: Any, open_engine: Any, as_text: bool
):
    def vector(*numbers: float) -> str | list[float]:
        return b64encode(pack(f"<{len(numbers)}f", *numbers)).decode() if as_text else list(numbers)

    async def answer(request: web.Request) -> web.StreamResponse:
        data = [{"index": 1, "embedding": vector(0, 1)}, {"index": 0, "embedding": vector(1, 0)}]
        return web.json_response({"data": data, "model": "real", "usage": {"prompt_tokens": 4, "total_tokens": 4}})

    stub.handlers = [answer]
    vectors = await open_engine().embed(["a", "b"], 2)
    assert vectors.rows == pack("<4f", 1, 0, 0, 1)
    assert (vectors.dimensions, vectors.prompt_tokens, vectors.model) == (2, 4, "real")
    assert stub.bodies[0] == {"model": "their-name", "input": ["a", "b"], "encoding_format": "base64", "dimensions": 2}


@pytest.mark.parametrize("data", [[], [{"index": 0}], [{"index": 0, "embedding": []}], None])
async def test_embeddings_that_cannot_be_right_are_the_upstreams_failure(stub: Any, open_engine: Any, data: Any):
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response({"data": data})

    stub.handlers = [answer]
    with pytest.raises(UpstreamFailed):
        await open_engine().embed(["a"])


async def test_connections_are_used_again_also_after_streams(stub: Any, open_engine: Any):
    engine = open_engine()
    for handler, fields in ((stream(STREAMED), {"stream": True}), (WHOLE, {}), (stream(STREAMED), {"stream": True})):
        stub.handlers = [handler]
        await heard(engine.chat(chat(**fields)))
    assert len(stub.peers) == 1


async def test_an_azure_upstream_gets_its_version_and_its_own_header(stub: Any, open_engine: Any):
    stub.handlers = [WHOLE]
    await heard(open_engine(api_version="2024-10-21", headers={"x-team": "a"}).chat(chat()))
    request = stub.requests[0]
    assert request.query == {"api-version": "2024-10-21"}
    assert request.headers["api-key"] == "sk-very-secret-key"
    assert "Authorization" not in request.headers
    assert request.headers["x-team"] == "a"


async def test_leaving_early_closes_the_upstreams_stream(stub: Any, open_engine: Any):
    gone = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            while True:
                await response.write(events(piece({"content": "more "})))
                await asyncio.sleep(0.01)
        finally:
            gone.set()

    stub.handlers = [endless]
    answer = open_engine().chat(chat(stream=True))
    await anext(answer)
    await answer.aclose()
    await asyncio.wait_for(gone.wait(), 2)


@pytest.mark.parametrize(
    "handler",
    [
        stream(events(piece({"content": "a"})) + DONE),
        stream(events(piece({"content": "a"})), cut=True),
        stream(events(piece({"content": "a"}))),
        stream(b"data: {broken\n\n"),
        stream(b"data: [1]\n\n"),
        stream(events({"choices": "none"})),
        stream(events({"choices": [{"delta": {"tool_calls": [7]}}]})),
        stream(events({"error": {"message": "it broke", "code": "bad"}})),
        whole({"index": 0, "message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}),
        whole(),
    ],
)
async def test_a_broken_stream_is_the_upstreams_failure(stub: Any, open_engine: Any, handler: Any):
    stub.handlers = [handler]
    with pytest.raises(UpstreamFailed) as failure:
        await heard(open_engine().chat(chat(stream=True)))
    assert failure.value.status == 502


async def test_a_hung_upstream_is_given_up_after_its_silence(stub: Any, open_engine: Any):
    async def silent(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        raise AssertionError

    stub.handlers = [silent]
    with pytest.raises(UpstreamFailed, match=r"silent for 0\.1 seconds"):
        await heard(open_engine(timeout_seconds=0.1).chat(chat()))
    assert len(stub.requests) == 1, "a request that may be at work there is not sent again"


def test_every_failure_is_of_our_family():
    assert issubclass(UpstreamFailed, ApiError)
