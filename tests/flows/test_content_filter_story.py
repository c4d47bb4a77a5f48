"""The story of a developer whose chat is filtered as on Azure, with the starter models."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from smalt.schemas.vocabulary import check_answer

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

HARMS = ("hate", "self_harm", "sexual", "violence")
THREAT = "I hate you all and I will come tonight and kill you and your whole family with a knife."


@pytest.fixture(scope="module")
def azure(starter_server: Any) -> Iterator[openai.AzureOpenAI]:
    with openai.AzureOpenAI(
        azure_endpoint=starter_server.url, api_version="2024-10-21", api_key=starter_server.key, max_retries=0
    ) as made:
        yield made


def chat(client: openai.OpenAI, text: str, **fields: Any) -> Any:
    messages: Any = [{"role": "user", "content": text}]
    return client.chat.completions.create(model="gpt-4o-mini", messages=messages, max_tokens=24, **fields)


def test_a_plain_question_is_answered_and_found_safe(azure: openai.AzureOpenAI):
    answer = chat(azure, "What is the capital of Italy? Answer in one word.").to_dict()
    check_answer("AzureCreateChatCompletionResponse", answer)
    (prompt,) = answer["prompt_filter_results"]
    assert {prompt["content_filter_results"][harm]["severity"] for harm in HARMS} == {"safe"}
    assert prompt["content_filter_results"]["jailbreak"] == {"detected": False, "filtered": False}
    (choice,) = answer["choices"]
    assert choice["message"]["content"]
    assert {choice["content_filter_results"][harm]["severity"] for harm in HARMS} == {"safe"}


def test_a_stream_tells_of_the_prompt_first_and_of_the_answer_as_it_comes(azure: openai.AzureOpenAI):
    first, *chunks = [chunk.to_dict() for chunk in chat(azure, "Name three colours.", stream=True)]
    assert set(first["prompt_filter_results"][0]["content_filter_results"]) >= set(HARMS)
    told = [chunk["choices"][0]["content_filter_results"] for chunk in chunks]
    assert any(set(results) >= set(HARMS) for results in told)
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)


def test_a_threat_is_refused_on_azures_paths_and_answered_on_openais(azure: openai.AzureOpenAI, starter_server: Any):
    with pytest.raises(openai.BadRequestError) as refusal:
        chat(azure, THREAT)
    assert refusal.value.code == "content_filter"
    body: Any = refusal.value.body
    assert body["innererror"]["content_filter_result"]["violence"]["filtered"] is True
    with openai.OpenAI(base_url=f"{starter_server.url}/v1", api_key=starter_server.key, max_retries=0) as plain:
        assert chat(plain, THREAT).choices[0].message.content
        judged = chat(plain, THREAT, extra_body={"moderation": {"model": "omni-moderation-latest"}}).to_dict()
    assert judged["moderation"]["input"]["results"][0]["categories"]["violence"] is True
    assert judged["moderation"]["output"]["type"] == "moderation_results"


THREAT_TOKENS = [
    57,
    13735,
    346,
    511,
    284,
    339,
    523,
    1690,
    34451,
    284,
    5619,
    346,
    284,
    469,
    2444,
    1564,
    351,
    253,
    16760,
    30,
]
"""The same for SmolLM2."""


def test_a_threat_in_token_ids_is_refused_too(azure: openai.AzureOpenAI, starter_server: Any):
    with pytest.raises(openai.BadRequestError) as refusal:
        azure.completions.create(model="gpt-4o-mini", prompt=[[504, 3575], THREAT_TOKENS])
    body: Any = refusal.value.body
    assert refusal.value.code == "content_filter"
    assert body["innererror"]["content_filter_result"]["violence"]["filtered"] is True
    (prompt,) = azure.completions.create(model="gpt-4o-mini", prompt=[504, 3575]).to_dict()["prompt_filter_results"]
    assert {prompt["content_filter_results"][harm]["severity"] for harm in HARMS} == {"safe"}
    with pytest.raises(openai.BadRequestError, match="Invalid token in prompt: 99999"):
        azure.completions.create(model="gpt-4o-mini", prompt=[504, 99999])
    with openai.OpenAI(base_url=f"{starter_server.url}/v1", api_key=starter_server.key, max_retries=0) as plain:
        echoed = plain.completions.create(model="gpt-4o-mini", prompt=THREAT_TOKENS, echo=True, max_tokens=1)
    assert echoed.choices[0].text.startswith(THREAT)


POLITE = "The library opens at nine. You can borrow three books at a time and keep them for a month. "
"""What comes before and after a threat."""


@pytest.mark.parametrize("path", ["azure_v1", "openai_v1"])
def test_a_stream_that_becomes_a_threat_shows_none_of_it(parrot_server: Any, path: str):
    base = {"azure_v1": "/openai/v1", "openai_v1": "/v1"}[path]
    with openai.OpenAI(base_url=f"{parrot_server.url}{base}", api_key=parrot_server.key, max_retries=0) as client:
        chunks = [chunk.to_dict() for chunk in parroted(client, POLITE * 3 + THREAT + " " + POLITE, stream=True)]
        whole = parroted(client, POLITE * 3 + POLITE)
    choices: list[Any] = [chunk["choices"][0] for chunk in chunks if chunk["choices"]]
    shown = "".join(choice["delta"].get("content") or "" for choice in choices)
    assert (POLITE * 3).startswith(shown)
    assert shown
    assert choices[-1]["finish_reason"] == "content_filter"
    if path == "azure_v1":
        assert choices[-1]["content_filter_results"]["violence"]["filtered"] is True
    assert whole.choices[0].finish_reason == "stop"
    assert whole.choices[0].message.content == POLITE * 4


def test_a_threat_in_the_middle_of_a_long_whole_answer_is_found(parrot_server: Any):
    base = f"{parrot_server.url}/openai/v1"
    with openai.OpenAI(base_url=base, api_key=parrot_server.key, max_retries=0) as client:
        (choice,) = parroted(client, POLITE * 20 + THREAT + " " + POLITE * 20).to_dict()["choices"]
    assert (choice["finish_reason"], choice["content_filter_results"]["violence"]["filtered"]) == (
        "content_filter",
        True,
    )
    assert "message" not in choice


AMONG_OTHERS = POLITE + "We should just rig the entire embassy with explosives. " + POLITE
"""A sentence that is found by itself, and was overlooked among others."""


def test_a_harmful_sentence_among_harmless_ones_is_found_on_both_sides(azure: openai.AzureOpenAI, parrot_server: Any):
    with pytest.raises(openai.BadRequestError) as refusal:
        chat(azure, AMONG_OTHERS)
    body: Any = refusal.value.body
    assert body["innererror"]["content_filter_result"]["violence"]["filtered"] is True
    with openai.OpenAI(base_url=f"{parrot_server.url}/v1", api_key=parrot_server.key, max_retries=0) as client:
        assert parroted(client, AMONG_OTHERS).choices[0].finish_reason == "content_filter"
        *_, last = parroted(client, AMONG_OTHERS, stream=True)
    assert last.choices[0].finish_reason == "content_filter"


def parroted(client: openai.OpenAI, text: str, **fields: Any) -> Any:
    return client.chat.completions.create(model="parrot", messages=[{"role": "user", "content": text}], **fields)
