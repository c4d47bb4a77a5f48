"""A content filter looks at prompts before an engine does, and at the stream before a client does."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from smalt.api.chat.completion import ChatCompletions
from smalt.api.chat.folding import ChatFold
from smalt.api.chat.speaking import Speakers
from smalt.api.completions.chunks import CompletionStamper
from smalt.api.completions.folding import CompletionFold
from smalt.api.generation import Generation, folded
from smalt.core.settings import AudioSettings, DeploymentSettings, RetrievalSettings, Settings
from smalt.engines.protocols import ChatDelta, CompletionDelta, CompletionEngine
from smalt.http.call import Call
from smalt.models import Models
from smalt.retrieval.data_sources import DataSources
from smalt.safety.content_filter import Event, NoContentFilter, PromptFiltered
from smalt.schemas.chat import AzureCreateChatCompletionRequest
from smalt.schemas.completions import CreateCompletionRequest
from smalt.store.spoken_answers import SpokenAnswers
from smalt.store.stored_completions import StoredCompletions


class WordFilter:
    """Refuses prompts with the word bomb, and ends a choice before the word banana."""

    async def check_prompt(self, body: AzureCreateChatCompletionRequest | CreateCompletionRequest) -> None:
        if "bomb" in body.model_dump_json(include={"messages", "prompt"}):
            raise PromptFiltered("it has the word bomb")

    async def watch(self, events: AsyncIterator[Event]) -> AsyncGenerator[Event]:
        ended: set[int] = set()
        async for event in events:
            if isinstance(event, ChatDelta) and "banana" in (event.content or ""):
                ended.add(event.choice)
                yield ChatDelta(event.choice, finish_reason="content_filter")
            elif isinstance(event, CompletionDelta) and "banana" in event.text:
                yield CompletionDelta(event.choice, finish_reason="content_filter")
            else:
                yield event


@pytest.fixture
async def models(tmp_path: Path) -> AsyncIterator[Models]:
    settings = Settings(data_dir=tmp_path, starter=False, deployments={"echo": DeploymentSettings(engine="echo")})
    models = Models(settings)
    yield models
    await models.close()


@pytest.fixture
def call() -> Call:
    return Call("azure_v1", "POST", "/chat/completions", "request")


def chat(text: str, n: int = 1) -> AzureCreateChatCompletionRequest:
    body = {"model": "echo", "messages": [{"role": "user", "content": text}], "n": n}
    return AzureCreateChatCompletionRequest.model_validate(body)


async def answer(models: Models, call: Call, body: AzureCreateChatCompletionRequest) -> dict[str, object]:
    data_sources = DataSources(RetrievalSettings(), models)
    speakers = Speakers(models, AudioSettings(), SpokenAnswers(None, seconds=60))
    completions = ChatCompletions(Generation(models, WordFilter()), StoredCompletions(None), data_sources, speakers)
    return await folded(completions.chunks(body, call), ChatFold())


async def test_a_refused_prompt_never_reaches_the_engine(models: Models, call: Call):
    with pytest.raises(PromptFiltered, match="content management policy") as refusal:
        await answer(models, call, chat("a bomb"))
    assert (refusal.value.status, refusal.value.code, refusal.value.param) == (400, "content_filter", "prompt")
    assert call.model is None


async def test_a_watched_answer_ends_with_its_reason_and_keeps_its_usage(models: Models, call: Call):
    body = chat("one banana two", n=2)
    told = await answer(models, call, body)
    assert [choice["message"]["content"] for choice in told["choices"]] == ["one", "one"]
    assert {choice["finish_reason"] for choice in told["choices"]} == {"content_filter"}
    assert told["usage"]["completion_tokens"] == 6


async def test_text_completions_pass_the_same_filter(models: Models, call: Call):
    body = CreateCompletionRequest(model="echo", prompt="one banana two")
    chunks = Generation(models, WordFilter()).chunks(
        body,
        CompletionEngine,
        lambda engine: engine.complete(body),
        stamper=CompletionStamper(body, model="echo"),
        call=call,
    )
    choice = (await folded(chunks, CompletionFold()))["choices"][0]
    assert (choice["text"], choice["finish_reason"]) == ("one", "content_filter")


async def test_without_a_filter_the_events_are_the_engines_own():
    async def events() -> AsyncGenerator[ChatDelta]:
        yield ChatDelta(content="banana")

    async with aclosing(events()) as told:
        assert NoContentFilter().watch(told) is told
    await NoContentFilter().check_prompt(chat("bomb"))
