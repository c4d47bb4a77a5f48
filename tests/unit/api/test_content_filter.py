"""A content filter looks at prompts before an engine does, and at the stream before a client does."""

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from smalt.api.chat.completion import ChatCompletions
from smalt.api.chat.files import PromptFiles
from smalt.api.chat.folding import ChatFold
from smalt.api.chat.speaking import Speakers
from smalt.api.chat.spelling import spelling
from smalt.api.completions.chunks import CompletionStamper
from smalt.api.completions.folding import CompletionFold
from smalt.api.generation import Chunk, Generation, folded
from smalt.api.moderating import Moderator
from smalt.core.errors import ModelNotFound, UnsupportedParameter
from smalt.core.settings import AudioSettings, DeploymentSettings, RetrievalSettings, Settings
from smalt.engines.protocols import (
    ChatDelta,
    CompletionDelta,
    CompletionEngine,
    Deployment,
    LateJudgement,
    PromptJudged,
    Usage,
)
from smalt.http.call import Call
from smalt.models import Models
from smalt.retrieval.data_sources import DataSources
from smalt.safety.asynchronous import passed_on
from smalt.safety.content_filter import Asked, Delivery, Event, PromptFiltered
from smalt.safety.transcripts import Stretch
from smalt.schemas.chat import AzureCreateChatCompletionRequest
from smalt.schemas.completions import CreateCompletionRequest
from smalt.schemas.vocabulary import check_answer
from smalt.store.spoken_answers import SpokenAnswers
from smalt.store.stored_completions import StoredCompletions

SAFE = {"violence": {"filtered": False, "severity": "safe"}}
GRAVE = {"violence": {"filtered": True, "severity": "high"}}


class WordChecks:
    """Refuses prompts with the word bomb; ends a choice before the word banana, or after it when it is late."""

    def __init__(self, *, tells: bool, is_asynchronous: bool) -> None:
        self.tells = tells
        self.is_asynchronous = is_asynchronous

    async def judge(self, asked: Asked, documents: Sequence[str] = ()) -> PromptJudged | None:
        assert not documents
        if "bomb" in asked.model_dump_json(include={"messages", "prompt"}):
            raise PromptFiltered(GRAVE)
        prompts = asked.prompt if isinstance(asked, CreateCompletionRequest) else None
        results = [
            {"prompt_index": index, "content_filter_results": SAFE}
            for index in range(len(prompts) if isinstance(prompts, list) else 1)
        ]
        return PromptJudged(results, self.is_asynchronous) if self.tells else None

    async def watch(self, events: AsyncIterator[Event]) -> AsyncGenerator[Event]:
        ended: set[int] = set()
        async for event in events:
            if not isinstance(event, ChatDelta | CompletionDelta) or event.choice in ended:
                if isinstance(event, Usage):
                    yield event
                continue
            text = event.content if isinstance(event, ChatDelta) else event.text
            if "banana" not in (text or ""):
                yield self._judged(event)
                continue
            ended.add(event.choice)
            if self.is_asynchronous:
                yield event
                yield LateJudgement(event.choice, GRAVE, 0, 0, 10, "content_filter")
            else:
                yield type(event)(event.choice, finish_reason="content_filter", judged=GRAVE)

    async def look(self, texts: Sequence[str]) -> dict[str, Any]:
        return GRAVE if any("banana" in text for text in texts) else SAFE

    def _judged(self, event: Any) -> Any:
        if self.is_asynchronous or event.finish_reason:
            return event
        return type(event)(**{name: getattr(event, name) for name in event.__slots__} | {"judged": SAFE})


class WordFilter:
    def __init__(self, *, is_asynchronous: bool = False) -> None:
        self.is_asynchronous = is_asynchronous

    def checks(self, deployment: Deployment, *, is_azure: bool, delivery: Delivery = "whole") -> WordChecks:
        del delivery
        assert deployment.name == "echo"
        return WordChecks(tells=is_azure, is_asynchronous=self.is_asynchronous)


class Counted(Counter[tuple[str, str, str]]):
    def filtered(self, deployment: str, side: str, category: str) -> None:
        self[deployment, side, category] += 1


@pytest.fixture
async def models(tmp_path: Path) -> AsyncIterator[Models]:
    deployments = {"echo": DeploymentSettings(engine="echo"), "broken": DeploymentSettings(engine="echo")}
    models = Models(Settings(data_dir=tmp_path, starter=False, deployments=deployments, aliases={"gpt": "echo"}))
    yield models
    await models.close()


@pytest.fixture
def call() -> Call:
    return Call("azure_v1", "POST", "/chat/completions", "request")


@pytest.fixture
def openai_call() -> Call:
    return Call("openai_v1", "POST", "/chat/completions", "request")


def chat(text: str, **fields: Any) -> AzureCreateChatCompletionRequest:
    body = {"model": "echo", "messages": [{"role": "user", "content": text}], **fields}
    return AzureCreateChatCompletionRequest.model_validate(body)


def no_files() -> Any:
    raise AssertionError("there is nothing to read")


def chunks(
    models: Models,
    call: Call,
    body: AzureCreateChatCompletionRequest,
    *,
    is_asynchronous: bool = False,
    counted: Counted | None = None,
) -> AsyncGenerator[Chunk]:
    completions = ChatCompletions(
        Generation(models, WordFilter(is_asynchronous=is_asynchronous), meter=counted),
        StoredCompletions(None),
        DataSources(RetrievalSettings(), models),
        Speakers(models, AudioSettings(), SpokenAnswers(None, seconds=60)),
        Moderator(models, "image-moderation"),
        PromptFiles(no_files),
    )
    return completions.chunks(body, call)


async def answer(models: Models, call: Call, body: AzureCreateChatCompletionRequest, **fields: Any) -> Chunk:
    told = await folded(chunks(models, call, body, **fields), ChatFold())
    check_answer("AzureCreateChatCompletionResponse", told)
    return told


async def streamed(models: Models, call: Call, body: AzureCreateChatCompletionRequest, **fields: Any) -> list[Chunk]:
    told = [chunk async for chunk in chunks(models, call, body, **fields)]
    for chunk in told:
        check_answer("AzureCreateChatCompletionStreamResponse", chunk)
    return told


async def test_a_refused_prompt_never_reaches_the_engine(models: Models, call: Call):
    counted = Counted()
    with pytest.raises(PromptFiltered, match="content management policy") as refusal:
        await answer(models, call, chat("a bomb"), counted=counted)
    assert (refusal.value.status, refusal.value.code, refusal.value.param) == (400, "content_filter", "prompt")
    assert call.model is None
    assert counted == {("echo", "prompt", "violence"): 1}


async def test_a_blocked_choice_has_no_message_and_the_usage_is_whole(models: Models, call: Call):
    counted = Counted()
    told = await answer(models, call, chat("one banana two", n=2, model="gpt"), counted=counted)
    assert told["choices"] == [
        {"index": index, "finish_reason": "content_filter", "logprobs": None, "content_filter_results": GRAVE}
        for index in range(2)
    ]
    assert told["prompt_filter_results"] == [{"prompt_index": 0, "content_filter_results": SAFE}]
    assert told["usage"]["completion_tokens"] == 6
    assert told["id"].startswith("chatcmpl-")
    assert counted == {("echo", "completion", "violence"): 2}


async def test_where_results_are_not_told_a_blocked_choice_keeps_what_was_let_through(
    models: Models, openai_call: Call
):
    counted = Counted()
    told = await answer(models, openai_call, chat("one banana two"), counted=counted)
    (choice,) = told["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("one", "content_filter")
    assert "content_filter_results" not in choice
    assert "prompt_filter_results" not in told
    assert counted == {("echo", "completion", "violence"): 1}


async def test_a_stream_begins_with_the_prompt_and_every_piece_says_what_was_found(models: Models, call: Call):
    told = await streamed(models, call, chat("one two", stream=True, stream_options={"include_usage": True}))
    prompts = [{"prompt_index": 0, "content_filter_results": SAFE}]
    assert told[0] == {
        "choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": prompts,
    }  # fmt: skip
    assert [choice["content_filter_results"] for chunk in told for choice in chunk["choices"]] == [{}, SAFE, SAFE, {}]
    assert told[-1]["usage"]["completion_tokens"] == 2


async def test_a_stream_on_the_other_mount_says_nothing_of_it(models: Models, openai_call: Call):
    told = await streamed(models, openai_call, chat("one two", stream=True))
    assert "content_filter_results" not in str(told)
    assert all(chunk["choices"] for chunk in told)


async def test_nothing_is_shown_behind_the_line(models: Models, call: Call):
    told = await streamed(models, call, chat("one banana two", stream=True))
    assert "".join(choice["delta"].get("content", "") for chunk in told for choice in chunk["choices"]) == "one"
    (last,) = told[-1]["choices"]
    assert (last["finish_reason"], last["delta"], last["content_filter_results"]) == ("content_filter", {}, GRAVE)


async def test_late_results_have_chunks_of_their_own(models: Models, call: Call):
    body = chat("one banana two", stream=True, stream_options={"include_usage": True})
    told = await streamed(models, call, body, is_asynchronous=True)
    words, late, usage = told[1:-2], told[-2], told[-1]
    assert not any("content_filter_results" in choice for chunk in words for choice in chunk["choices"])
    assert late == {
        "choices": [
            {
                "content_filter_offsets": {"check_offset": 0, "start_offset": 0, "end_offset": 10},
                "content_filter_results": GRAVE,
                "finish_reason": "content_filter",
                "index": 0,
            }
        ],
        "created": 0,
        "id": "",
        "model": "",
        "object": "",
    }
    assert usage["usage"]["completion_tokens"] == 3


async def test_a_whole_answer_waits_for_late_results(models: Models, call: Call):
    (choice,) = (await answer(models, call, chat("one banana two"), is_asynchronous=True))["choices"]
    assert (choice["finish_reason"], choice["content_filter_results"]) == ("content_filter", GRAVE)
    assert "message" not in choice


async def test_results_are_never_told_on_the_chunks_of_tool_calls(models: Models, call: Call):
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
    told = await streamed(models, call, chat("call look {}", tools=[tool], stream=True))
    pieces = [choice for chunk in told for choice in chunk["choices"]]
    assert {str(piece["content_filter_results"]) for piece in pieces if "tool_calls" in piece["delta"]} == {"{}"}
    assert (pieces[-1]["finish_reason"], pieces[-1]["content_filter_results"]) == ("tool_calls", SAFE)


async def test_azure_writes_its_keys_in_order_and_openai_does_not(models: Models, call: Call, openai_call: Call):
    told = await answer(models, call, chat("one"))
    written = spelling(call)(told)
    assert orjson.loads(written) == told
    keys = list(orjson.loads(written))
    assert keys == sorted(keys)
    assert b'"prompt_filter_results":[{"prompt_index":0,"content_filter_results":{' in written
    assert b'"choices":[{"content_filter_results":{' in written
    assert spelling(openai_call)(told) == orjson.dumps(told)


async def test_a_failure_to_begin_comes_before_what_is_said_of_the_prompt(models: Models, call: Call):
    told = chunks(models, call, chat("one", stream=True, logit_bias={"1": 1.0}))
    with pytest.raises(UnsupportedParameter):
        await anext(told)


async def test_an_unknown_model_is_not_looked_at(models: Models, call: Call):
    with pytest.raises(ModelNotFound):
        await answer(models, call, chat("a bomb", model="nobody"))


def completion(models: Models, call: Call, body: CreateCompletionRequest, **fields: bool) -> AsyncGenerator[Chunk]:
    return Generation(models, WordFilter(**fields)).chunks(
        body,
        CompletionEngine,
        lambda engine: engine.complete(body),
        stamper=CompletionStamper(body, model="echo"),
        call=call,
        delivery="streamed" if body.stream else "whole",
    )


async def test_text_completions_pass_the_same_filter(models: Models, call: Call, openai_call: Call):
    body = CreateCompletionRequest(model="echo", prompt="one banana two")
    told = await folded(completion(models, call, body), CompletionFold())
    check_answer("CreateCompletionResponse", told)
    (choice,) = told["choices"]
    assert (choice["text"], choice["finish_reason"]) == ("", "content_filter")
    assert choice["content_filter_results"] == GRAVE
    told = await folded(completion(models, openai_call, body), CompletionFold())
    (choice,) = told["choices"]
    assert (choice["text"], choice["finish_reason"]) == ("one", "content_filter")


async def test_every_prompt_of_a_completion_has_results_of_its_own(models: Models, call: Call):
    body = CreateCompletionRequest(model="echo", prompt=["one", "two banana"], n=2)
    told = await folded(completion(models, call, body), CompletionFold())
    check_answer("CreateCompletionResponse", told)
    assert [prompt["prompt_index"] for prompt in told["prompt_filter_results"]] == [0, 1]
    assert [choice["finish_reason"] for choice in told["choices"]] == ["stop", "stop", *["content_filter"] * 2]
    assert [choice["content_filter_results"] for choice in told["choices"]] == [SAFE, SAFE, GRAVE, GRAVE]


async def test_a_streamed_completion_tells_of_its_prompts_first(models: Models, call: Call):
    body = CreateCompletionRequest(model="echo", prompt="one two", stream=True)
    told = [chunk async for chunk in completion(models, call, body)]
    for chunk in told:
        check_answer("CreateCompletionResponse", chunk)
    assert list(told[0]) == ["id", "object", "created", "model", "prompt_filter_results", "choices"]
    assert [choice["content_filter_results"] for chunk in told for choice in chunk["choices"]] == [SAFE, SAFE, {}]


async def test_late_results_of_a_completion_end_it(models: Models, call: Call):
    body = CreateCompletionRequest(model="echo", prompt="one banana two", stream=True)
    told = [chunk async for chunk in completion(models, call, body, is_asynchronous=True)]
    (late,) = told[-1]["choices"]
    assert (late["finish_reason"], late["content_filter_results"]) == ("content_filter", GRAVE)
    assert not any("content_filter_results" in choice for chunk in told[:-1] for choice in chunk["choices"])
    assert "two" not in "".join(choice["text"] for chunk in told for choice in chunk["choices"])


class LateFilter(WordFilter):
    """Looks at what has left as the real one does."""

    def checks(self, deployment: Deployment, *, is_azure: bool, delivery: Delivery = "whole") -> WordChecks:
        del deployment, delivery
        return LateChecks(tells=is_azure, is_asynchronous=True)


class LateChecks(WordChecks):
    async def watch(self, events: AsyncIterator[Event]) -> AsyncGenerator[Event]:
        async for event in passed_on(events, self._late, tells=self.tells):
            yield event

    async def _late(self, stretch: Stretch) -> dict[str, Any]:
        return await self.look(stretch.transcript.add(stretch.deltas))


async def test_what_was_found_after_the_end_is_counted_where_nobody_is_told(models: Models, openai_call: Call):
    counted = Counted()
    body = CreateCompletionRequest(model="echo", prompt="one banana two", stream=True)
    told = Generation(models, LateFilter(), meter=counted).chunks(
        body,
        CompletionEngine,
        lambda engine: engine.complete(body),
        stamper=CompletionStamper(body, model="echo"),
        call=openai_call,
        delivery="streamed",
    )
    choices = [choice async for chunk in told for choice in chunk["choices"]]
    assert "".join(choice["text"] for choice in choices) == "one banana two"
    assert choices[-1]["finish_reason"] == "stop"
    assert counted == {("echo", "completion", "violence"): 1}
