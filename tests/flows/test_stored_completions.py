"""Completions made with `store: true` can be listed, read, changed and deleted, by their own project only."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest
import requests

from serving import Served, new_key
from smalt.schemas.vocabulary import check_answer


@pytest.fixture
def sdk(echo_server: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{echo_server.url}/v1", api_key=echo_server.key) as client:
        yield client


@pytest.fixture
def label() -> str:
    """Something that only this test's completions have."""
    return f"label-{time.monotonic_ns()}"


def stored(client: openai.OpenAI, label: str, text: str = "Hi there", **fields: Any) -> Any:
    messages: Any = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": text}]
    metadata = {"label": label, **fields.pop("metadata", {})}
    return client.chat.completions.create(model="echo", messages=messages, store=True, metadata=metadata, **fields)


def test_what_is_not_stored_is_not_found(sdk: openai.OpenAI):
    answer = sdk.chat.completions.create(model="echo", messages=[{"role": "user", "content": "Hi"}])
    with pytest.raises(openai.NotFoundError) as refusal:
        sdk.chat.completions.retrieve(answer.id)
    assert refusal.value.param == "completion_id"


def test_a_stored_completion_is_read_as_it_was_answered(sdk: openai.OpenAI, label: str):
    answer = stored(sdk, label, temperature=0.5, seed=7)
    kept = sdk.chat.completions.retrieve(answer.id)
    assert kept.choices == answer.choices
    assert kept.usage == answer.usage
    assert kept.metadata == {"label": label}
    assert (kept.temperature, kept.seed) == (0.5, 7)


def test_a_streamed_completion_is_stored_whole_with_its_usage(sdk: openai.OpenAI, label: str):
    chunks = list(stored(sdk, label, stream=True))
    kept = sdk.chat.completions.retrieve(chunks[0].id)
    assert kept.choices[0].message.content == "Hi there"
    assert kept.usage is not None
    assert kept.usage.total_tokens == 6


def test_the_list_is_filtered_ordered_and_paged(sdk: openai.OpenAI, label: str):
    ids = [stored(sdk, label, f"text {number}").id for number in range(5)]
    stored(sdk, label, metadata={"label": "other"})
    assert [one.id for one in sdk.chat.completions.list(metadata={"label": label}, limit=2)] == ids
    downwards = sdk.chat.completions.list(metadata={"label": label}, order="desc", model="echo")
    assert [one.id for one in downwards] == ids[::-1]
    assert not list(sdk.chat.completions.list(metadata={"label": label}, model="gpt-nothing"))
    with pytest.raises(openai.BadRequestError):
        sdk.chat.completions.list(limit=1000)


def test_the_messages_are_those_that_were_sent(sdk: openai.OpenAI, label: str):
    parts = [{"type": "text", "text": "in "}, {"type": "text", "text": "parts"}]
    answer = stored(sdk, label, parts)
    messages = list(sdk.chat.completions.messages.list(answer.id))
    assert [message.content for message in messages] == ["Be kind.", "in parts"]
    assert [part.text for part in messages[1].content_parts] == ["in ", "parts"]
    second = sdk.chat.completions.messages.list(answer.id, after=messages[0].id)
    assert [message.id for message in second.data] == [messages[1].id]


def test_metadata_is_replaced_and_the_rest_stays(sdk: openai.OpenAI, label: str):
    answer = stored(sdk, label)
    changed = sdk.chat.completions.update(answer.id, metadata={"new": "value"})
    assert changed.metadata == {"new": "value"}
    assert sdk.chat.completions.retrieve(answer.id).choices == answer.choices


def test_a_deleted_completion_is_gone(sdk: openai.OpenAI, label: str):
    answer = stored(sdk, label)
    assert sdk.chat.completions.delete(answer.id).deleted
    for read in (sdk.chat.completions.retrieve, sdk.chat.completions.delete, sdk.chat.completions.messages.list):
        with pytest.raises(openai.NotFoundError):
            read(answer.id)


def test_another_project_sees_nothing_of_it(sdk: openai.OpenAI, echo_server: Served, label: str):
    answer = stored(sdk, label)
    key = asyncio.run(new_key(echo_server.app.state.settings.data_dir, project=label))
    time.sleep(1.1)  # a server knows of a new key within a second
    with openai.OpenAI(base_url=f"{echo_server.url}/v1", api_key=key) as stranger:
        assert not list(stranger.chat.completions.list())
        with pytest.raises(openai.NotFoundError):
            stranger.chat.completions.retrieve(answer.id)
        with pytest.raises(openai.NotFoundError):
            stranger.chat.completions.delete(answer.id)


def test_answers_have_the_references_shape(sdk: openai.OpenAI, echo_server: Served, label: str):
    stored_one = stored(sdk, label, tools=[{"type": "function", "function": {"name": "look"}}])
    base = f"{echo_server.url}/openai/v1/chat/completions"
    headers = {"api-key": echo_server.key}

    def read(path: str) -> Any:
        return requests.get(base + path, headers=headers, timeout=10).json()

    check_answer("ChatCompletionList", read(f"?metadata[label]={label}"))
    check_answer("StoredChatCompletion", read(f"/{stored_one.id}"))
    check_answer("ChatCompletionMessageList", read(f"/{stored_one.id}/messages"))
    gone = requests.delete(f"{base}/{stored_one.id}", headers=headers, timeout=10).json()
    check_answer("ChatCompletionDeleted", gone)
