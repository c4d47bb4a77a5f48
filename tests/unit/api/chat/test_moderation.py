"""The parameter `moderation` of chat: both sides are judged, and what is flagged may be refused."""

from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from smalt.api.chat.completion import ChatCompletions
from smalt.api.chat.files import PromptFiles
from smalt.api.chat.folding import ChatFold
from smalt.api.chat.speaking import Speakers
from smalt.api.generation import Chunk, Generation, folded
from smalt.api.moderating import ModerationBlocked, Moderator
from smalt.core.errors import InvalidRequest, ModelNotFound
from smalt.core.settings import AudioSettings, DeploymentSettings, RetrievalSettings, Settings
from smalt.http.call import Call
from smalt.models import Models
from smalt.retrieval.data_sources import DataSources
from smalt.schemas.chat import AzureCreateChatCompletionRequest
from smalt.schemas.vocabulary import check_answer
from smalt.store.spoken_answers import SpokenAnswers
from smalt.store.stored_completions import StoredCompletions
from unfiltered import NoContentFilter

VIOLENT = "[[moderate violence=0.99]]"
USAGE = {"stream": True, "stream_options": {"include_usage": True}}


@pytest.fixture
async def models(tmp_path: Path) -> AsyncIterator[Models]:
    deployments = {
        "echo": DeploymentSettings(engine="echo"),
        "silent": DeploymentSettings(engine="echo", abilities=["chat_completion"]),
        "broken": DeploymentSettings(
            engine="upstream",
            base_url="http://127.0.0.1:9/v1",
            abilities=["moderation"],
            options={"retries": 0},
        ),
    }
    models = Models(Settings(data_dir=tmp_path, starter=False, deployments=deployments, aliases={"judge": "echo"}))
    yield models
    await models.close()


def body(text: str, *, policy: Any = None, model: str = "judge", **fields: Any) -> AzureCreateChatCompletionRequest:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]
    moderation = {"model": model, "policy": policy}
    return AzureCreateChatCompletionRequest.model_validate(
        {"model": "echo", "messages": messages, "moderation": moderation, **fields}
    )


def no_files() -> Any:
    raise AssertionError("there is nothing to read")


def chunks(models: Models, asked: AzureCreateChatCompletionRequest) -> AsyncGenerator[Chunk]:
    completions = ChatCompletions(
        Generation(models, NoContentFilter()),
        StoredCompletions(None),
        DataSources(RetrievalSettings(), models),
        Speakers(models, AudioSettings(), SpokenAnswers(None, seconds=60)),
        Moderator(models, "image-moderation"),
        PromptFiles(no_files),
    )
    return completions.chunks(asked, Call("openai_v1", "POST", "/chat/completions", "request"))


async def answer(models: Models, asked: AzureCreateChatCompletionRequest) -> Chunk:
    told = await folded(chunks(models, asked), ChatFold())
    check_answer("AzureCreateChatCompletionResponse", told)
    return told


async def streamed(models: Models, asked: AzureCreateChatCompletionRequest) -> list[Chunk]:
    told = [chunk async for chunk in chunks(models, asked)]
    for chunk in told:
        check_answer("AzureCreateChatCompletionStreamResponse", chunk)
    return told


def flags(outcome: Chunk) -> list[bool]:
    return [result["flagged"] for result in outcome["results"]]


async def test_every_message_and_every_choice_is_judged(models: Models):
    told = await answer(models, body(VIOLENT, n=2))
    moderation = told["moderation"]
    assert (flags(moderation["input"]), flags(moderation["output"])) == ([False, True], [True, True])
    assert moderation["input"]["model"] == "judge"
    result = moderation["output"]["results"][0]
    assert result["type"] == "moderation_result"
    assert result["categories"]["violence"] is True
    assert result["category_scores"]["violence"] == 0.99
    assert result["category_applied_input_types"]["violence"] == ["text"]
    assert told["choices"][0]["message"]["content"] == VIOLENT


async def test_a_stream_tells_of_it_before_its_usage(models: Models):
    *_, moderation, usage = await streamed(models, body("Hello", **USAGE))
    assert moderation["choices"] == []
    assert (moderation["usage"], flags(moderation["moderation"]["output"])) == (None, [False])
    assert usage["usage"]["total_tokens"] > 0
    assert (await streamed(models, body("Hello", stream=True)))[-1]["moderation"]["input"]["results"]


async def test_the_arguments_of_a_call_are_judged_as_what_is_said(models: Models):
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    told = await answer(models, body(f'call look {{"at":"{VIOLENT}"}}', tools=[tool]))
    assert flags(told["moderation"]["output"]) == [True]


async def test_a_flagged_conversation_is_refused_where_that_is_asked_for(models: Models):
    with pytest.raises(ModerationBlocked) as refusal:
        await answer(models, body(VIOLENT, policy={"input": {"mode": "block"}}))
    assert (refusal.value.status, refusal.value.param) == (400, "messages")
    told = await answer(models, body("Hello", policy={"input": {"mode": "block"}}))
    assert flags(told["moderation"]["input"]) == [False, False]


async def test_a_flagged_answer_is_not_shown_where_that_is_asked_for(models: Models):
    policy = {"input": {"mode": "score"}, "output": {"mode": "block"}}
    told = await answer(models, body(VIOLENT, policy=policy))
    (choice,) = told["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("", "content_filter")
    assert flags(told["moderation"]["output"]) == [True]
    pieces = await streamed(models, body(VIOLENT, policy=policy, **USAGE))
    assert VIOLENT not in str(pieces)
    assert [choice["finish_reason"] for chunk in pieces for choice in chunk["choices"]] == [None, "content_filter"]
    told = await answer(models, body("Hello", policy=policy))
    assert told["choices"][0]["message"]["content"] == "Hello"


async def test_what_cannot_be_judged_is_told_but_for_what_must_be(models: Models):
    told = await answer(models, body("Hello", model="broken"))
    assert told["moderation"]["input"]["type"] == "error"
    assert told["moderation"]["output"]["message"]
    assert told["choices"][0]["message"]["content"] == "Hello"


async def test_the_model_must_be_there_and_be_able_to(models: Models):
    with pytest.raises(ModelNotFound) as unknown:
        await answer(models, body("Hello", model="nobody"))
    with pytest.raises(InvalidRequest) as unable:
        await answer(models, body("Hello", model="silent"))
    assert (unknown.value.param, unable.value.param) == ("moderation.model", "moderation.model")
