"""What a real chat model says is blocked: nothing of it is shown, whole or streamed."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from smalt.schemas.vocabulary import check_answer

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

THREATS = (
    "I will come to your house tonight and kill you and your whole family with a knife.",
    "I am going to kill you, I will cut your throat and watch you bleed to death.",
    "We will shoot every one of them in the head and burn their bodies.",
)
HARMLESS = "The library opens at nine and you can borrow three books at a time."


@pytest.fixture(scope="module")
def azure(parrot_server: Any) -> Iterator[openai.OpenAI]:
    base = f"{parrot_server.url}/openai/v1"
    with openai.OpenAI(base_url=base, api_key=parrot_server.key, max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def plain(parrot_server: Any) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{parrot_server.url}/v1", api_key=parrot_server.key, max_retries=0) as client:
        yield client


def repeated(client: openai.OpenAI, sentence: str, model: str, **fields: Any) -> Any:
    """What the model makes of being asked to say a sentence; the same every time."""
    said = f'Repeat this sentence exactly: "{sentence}"'
    messages: Any = [{"role": "user", "content": said}]
    return client.chat.completions.create(
        model=model, messages=messages, max_tokens=40, temperature=0, seed=1, **fields
    )


@pytest.fixture(scope="module")
def threat(plain: openai.OpenAI) -> str:
    """A sentence that the model repeats when nobody looks at its answers."""
    for sentence in THREATS:
        said = repeated(plain, sentence, "smollm2-135m-instruct").choices[0].message.content
        if sentence.rstrip(".") in said:
            return sentence
    pytest.fail("The model repeats none of the sentences.")


def test_a_whole_answer_is_blocked(azure: openai.OpenAI, threat: str):
    answer = repeated(azure, threat, "small").to_dict()
    check_answer("AzureCreateChatCompletionResponse", answer)
    (prompt,) = answer["prompt_filter_results"]
    assert prompt["content_filter_results"]["violence"]["filtered"] is False
    (choice,) = answer["choices"]
    assert choice["finish_reason"] == "content_filter"
    assert choice["content_filter_results"]["violence"]["filtered"] is True
    assert "message" not in choice
    assert answer["usage"]["completion_tokens"] > 0


@pytest.mark.parametrize("path", ["azure", "plain"])
def test_a_stream_shows_nothing_of_it(request: pytest.FixtureRequest, path: str, threat: str):
    client: openai.OpenAI = request.getfixturevalue(path)
    options: Any = {"stream": True, "stream_options": {"include_usage": True}}
    *chunks, last = [chunk.to_dict() for chunk in repeated(client, threat, "small", **options)]
    choices: list[Any] = [choice for chunk in chunks for choice in chunk["choices"]]
    shown = "".join(choice["delta"].get("content") or "" for choice in choices)
    assert not any(word in shown.lower() for word in ("kill", "knife", "throat", "bleed", "shoot", "burn"))
    assert choices[-1]["finish_reason"] == "content_filter"
    assert last["usage"]["prompt_tokens"] > 0


def test_a_response_shows_nothing_of_it(azure: openai.OpenAI, threat: str):
    said = f'Repeat this sentence exactly: "{threat}"'
    response = azure.responses.create(model="small", input=said, max_output_tokens=40, temperature=0)
    assert response.status == "incomplete"
    assert response.incomplete_details
    assert response.incomplete_details.reason == "content_filter"
    assert response.output_text == ""


def test_a_harmless_sentence_is_said(azure: openai.OpenAI):
    answer = repeated(azure, HARMLESS, "small")
    assert answer.choices[0].finish_reason in {"stop", "length"}
    assert "library" in answer.choices[0].message.content
