"""The engine over a server that answers what the test says: counts, failures and broken streams."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from smalt.core.errors import ApiError, ContextLengthExceeded, EngineFailed, InvalidRequest, Unavailable
from smalt.engines.llama_cpp import LlamaCppEngine
from smalt.engines.protocols import ChatDelta, CompletionDelta, Deployment, Serving, Usage, WorkerAddress
from smalt.schemas.chat import AzureCreateChatCompletionRequest
from smalt.schemas.completions import CreateCompletionRequest

INFO = {
    "context": 64,
    "slots": 4,
    "vocabulary": 100,
    "template": "",
    "template_abilities": {},
    "thinking": "none",
    "fills_in": True,
    "beginning_token": [1],
    "ending_token": [2],
    "unlikely_token": 5,
    "fingerprint": "fp_1",
}


class FakeServer:
    """Answers as llama.cpp's server does; `events` are the answers to one request for tokens after another."""

    def __init__(self):
        self.asked = []
        self.events = []
        self.rendered = web.json_response({"prompt": "<user>hi<assistant>"})
        self.left = asyncio.Event()

    async def answer(self, request):
        body = await request.json()
        self.asked.append((request.path, body))
        if request.path == "/apply-template":
            return self.rendered
        if request.path == "/tokenize":
            return web.json_response({"tokens": list(range(len(body["content"].split())))})
        events = self.events.pop(0)
        if isinstance(events, web.Response):
            return events
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            for event in events:
                await asyncio.sleep(0)
                await response.write(event if isinstance(event, bytes) else f"data: {json.dumps(event)}\n\n".encode())
        finally:
            self.left.set()
        return response


@asynccontextmanager
async def serving(fake, folder):
    app = web.Application()
    app.router.add_post("/{path:.*}", fake.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(folder / "fake.sock")).start()
    try:
        yield str(folder / "fake.sock")
    finally:
        await runner.cleanup()


@pytest.fixture
def fake():
    return FakeServer()


@pytest.fixture
async def engine(fake, tmp_path):
    deployment = Deployment("small", "llama_cpp", "Small", frozenset())
    async with serving(fake, tmp_path) as socket_path:
        opened = LlamaCppEngine.open(deployment, WorkerAddress(socket_path, INFO))
        yield opened
        await opened.close()


def chat(engine, **fields):
    body = {"model": "small", "messages": [{"role": "user", "content": "hi"}], **fields}
    return engine.chat(AzureCreateChatCompletionRequest.model_validate(body))


def complete(engine, **fields):
    return engine.complete(CreateCompletionRequest.model_validate({"model": "small", "prompt": "a", **fields}))


async def all_of(stream):
    return [event async for event in stream]


def token(text, number, *, index=0, evaluated=7, **more):
    return {
        "index": index,
        "content": text,
        "tokens": [number],
        "stop": False,
        "tokens_predicted": number,
        "tokens_evaluated": evaluated,
        **more,
    }


def end(number, stop_type="eos", *, index=0, evaluated=7):
    return {**token("", number, index=index, evaluated=evaluated), "stop": True, "stop_type": stop_type}


PROGRESS = token("", 0, prompt_progress={"total": 7, "cache": 3, "processed": 7, "time_ms": 1})


async def test_an_answer_has_its_deltas_and_then_its_counts(engine, fake):
    fake.events = [[b"data: null\n\n", b":\n\n", PROGRESS, token("He", 1), token("llo", 2), end(3)]]
    events = await all_of(chat(engine))
    deltas = [event for event in events if isinstance(event, ChatDelta)]
    assert [delta.content for delta in deltas] == ["He", "llo", None]
    assert deltas[-1].finish_reason == "stop"
    assert events[-1] == Usage(7, 3, cached_tokens=3)
    assert fake.asked[0] == ("/apply-template", {"messages": [{"role": "user", "content": "hi"}]})
    assert fake.asked[1][1]["prompt"] == "<user>hi<assistant>"


async def test_events_may_come_in_any_pieces(engine, fake):
    whole = b"".join(f"data: {json.dumps(event)}\n\n".encode() for event in (token("é", 1), token("🦜", 2), end(3)))
    fake.events = [[whole[start : start + 5] for start in range(0, len(whole), 5)]]
    events = await all_of(chat(engine))
    assert "".join(event.content or "" for event in events if isinstance(event, ChatDelta)) == "é🦜"


async def test_many_choices_are_made_in_groups_with_seeds_of_their_own(engine, fake):
    fake.events = [
        [token("a", 1), token("b", 1, index=1), end(1), end(1, index=1)],
        [token("c", 1), end(2, "limit")],
    ]
    events = await all_of(chat(engine, n=3, seed=2**32 + 9))
    assert [(event.choice, event.content) for event in events if isinstance(event, ChatDelta) and event.content] == [
        (0, "a"),
        (1, "b"),
        (2, "c"),
    ]
    assert events[-1] == Usage(7, 4)
    asked = [body for path, body in fake.asked if path == "/completion"]
    assert [body["n"] for body in asked] == [2, 1]
    assert asked[1]["seed"] == asked[0]["seed"] + 2 < 2**32 - 1


async def test_a_stop_text_found_here_ends_the_stream(engine, fake):
    probability = {"token": "a", "bytes": [97], "logprob": -1.0, "top_logprobs": []}
    fake.events = [[token("a", number, completion_probabilities=[probability]) for number in range(1, 4)] + [end(9)]]
    events = await all_of(chat(engine, stop="aa", logprobs=True))
    assert [event.finish_reason for event in events if isinstance(event, ChatDelta)] == ["stop"]
    assert events[-1].completion_tokens == 2
    assert "stop" not in fake.asked[-1][1]


async def test_stop_texts_are_left_to_the_server_where_nothing_else_is_read(engine, fake):
    fake.events = [[token("a", 1), end(2, "word")]]
    events = await all_of(chat(engine, stop=["x", "y"]))
    assert fake.asked[-1][1]["stop"] == ["x", "y"]
    assert events[-2].finish_reason == "stop"


@pytest.mark.parametrize(
    ("status", "fault", "kind", "words"),
    [
        (400, {"type": "exceed_context_size_error", "n_prompt_tokens": 99, "n_ctx": 64}, ContextLengthExceeded, "64"),
        (400, {"message": "no good"}, InvalidRequest, "no good"),
        (500, {"message": "broken"}, EngineFailed, "broken"),
        (503, {"message": "Loading model"}, Unavailable, "moment"),
    ],
)
async def test_a_refusal_is_told_before_anything_is_sent(engine, fake, status, fault, kind, words):
    fake.events = [web.json_response({"error": fault}, status=status)]
    with pytest.raises(kind, match=words):
        await all_of(chat(engine))


async def test_a_failure_in_the_stream_is_raised_there(engine, fake):
    fake.events = [[token("a", 1), {"error": {"code": 500, "message": "decode failed"}}]]
    stream = chat(engine)
    assert [type(await anext(stream)) for _ in range(2)] == [Serving, ChatDelta]
    with pytest.raises(EngineFailed, match="decode failed"):
        await anext(stream)


async def test_a_full_shared_cache_asks_to_try_again(engine, fake):
    fake.events = [[{"error": {"code": 500, "message": "Context size has been exceeded."}}]]
    with pytest.raises(Unavailable):
        await all_of(chat(engine))


@pytest.mark.parametrize("begin", [chat, complete])
async def test_a_stream_without_an_end_is_a_failure(engine, fake, begin):
    fake.events = [[token("a", 1)]]
    with pytest.raises(EngineFailed, match="ended in the middle"):
        await all_of(begin(engine))


async def test_a_template_that_refuses_is_the_requests_fault(engine, fake):
    fake.rendered = web.json_response({"error": {"message": "roles must alternate"}}, status=500)
    with pytest.raises(InvalidRequest, match="roles must alternate") as caught:
        await all_of(chat(engine))
    assert caught.value.param == "messages"


async def test_a_worker_that_is_gone_is_a_failure(tmp_path):
    deployment = Deployment("small", "llama_cpp", "Small", frozenset())
    engine = LlamaCppEngine.open(deployment, WorkerAddress(str(tmp_path / "gone.sock"), INFO))
    with pytest.raises(EngineFailed, match="worker of 'small'"):
        await all_of(chat(engine))
    await engine.close()


async def test_closing_the_stream_closes_the_connection(engine, fake):
    fake.events = [[token("a", 1) for _ in range(10_000_000 // 100)]]
    stream = chat(engine)
    async for event in stream:
        if isinstance(event, ChatDelta):
            break
    await stream.aclose()
    await asyncio.wait_for(fake.left.wait(), 5)


async def test_tokens_are_counted_only_when_the_context_may_not_do(engine, fake):
    fake.events = [[end(1)]]
    await all_of(complete(engine, prompt="a b", max_tokens=8))
    assert [path for path, _ in fake.asked] == ["/completion"]
    with pytest.raises(ContextLengthExceeded, match=r"you requested 65 tokens \(2 in the prompt, 63 in the completion"):
        await all_of(complete(engine, prompt="a b", max_tokens=63))


async def test_a_text_is_filled_in_between_its_ends(engine, fake):
    fake.events = [[token("x", 1), end(1, "limit")]]
    events = await all_of(complete(engine, prompt="a", suffix="b", max_tokens=1))
    path, body = fake.asked[-1]
    assert path == "/infill"
    assert (body["input_prefix"], body["input_suffix"]) == ("a", "b")
    assert [event.text for event in events if isinstance(event, CompletionDelta)] == ["x", ""]


async def test_prompts_and_choices_are_numbered_through(engine, fake):
    fake.events = [[end(1, "limit", index=index, evaluated=2 + index // 2) for index in (1, 3, 0, 2)]]
    events = await all_of(complete(engine, prompt=["a", "b"], n=2, max_tokens=1))
    assert sorted(event.choice for event in events if isinstance(event, CompletionDelta)) == [0, 1, 2, 3]
    assert events[-1] == Usage(5, 4)


async def test_a_schema_that_does_not_bind_is_refused_and_remembered(engine, fake):
    loose = web.json_response({"tokens": [INFO["unlikely_token"]], "content": "@"})
    fake.events = [loose, loose]
    schema = {"name": "a", "strict": True, "schema": {"type": "string", "pattern": "("}}
    for _ in range(2):
        with pytest.raises(ApiError, match="the schema as a whole") as caught:
            await all_of(chat(engine, response_format={"type": "json_schema", "json_schema": schema}))
        assert caught.value.param == "response_format.json_schema.schema"
    assert len([path for path, _ in fake.asked if path == "/completion"]) == 1


async def test_an_answer_that_breaks_out_of_its_form_is_a_failure(engine, fake):
    fake.events = [web.json_response({"tokens": [1], "content": "{"}), [token('{"a"', 1), end(2)]]
    schema = {"name": "a", "strict": True, "schema": {"type": "object"}}
    with pytest.raises(EngineFailed, match="got out of the form"):
        await all_of(chat(engine, response_format={"type": "json_schema", "json_schema": schema}))
