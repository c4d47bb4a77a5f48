"""The story of a JavaScript developer: the `openai` package from npm, unmodified, against the starter models."""

import json
from typing import Any

import pytest

from node_stories import node_facts

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def facts(starter_server: Any) -> dict[str, Any]:
    return node_facts("story.mjs", starter_server.url, starter_server.key)


@pytest.mark.parametrize("who", ["chat", "azureChat"])
def test_a_chat_is_answered_with_text_and_right_usage(facts: dict[str, Any], who: str) -> None:
    answer = facts[who]
    assert "Paris" in answer["content"]
    assert answer["finish"] in {"stop", "length"}
    assert 0 < answer["usage"]["completion_tokens"] <= 24
    assert answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"] + answer["usage"]["completion_tokens"]


@pytest.mark.parametrize(("streamed", "whole"), [("stream", "chat"), ("azureStream", "azureChat")])
def test_a_stream_spells_out_an_answer_with_one_role_one_end_and_usage(
    facts: dict[str, Any], streamed: str, whole: str
) -> None:
    answer = facts[streamed]
    assert "Paris" in answer["content"]
    assert answer["roles"] == ["assistant"]
    assert answer["finishes"] == [facts[whole]["finish"]]
    assert answer["usage"]["prompt_tokens"] == facts[whole]["usage"]["prompt_tokens"]


def test_the_stream_helper_gathers_the_answer(facts: dict[str, Any]) -> None:
    assert "Paris" in facts["helper"]["content"]


def test_a_forced_tool_is_called_with_valid_arguments_and_its_result_leads_to_an_answer(facts: dict[str, Any]) -> None:
    tool = facts["tool"]
    arguments = json.loads(tool["call"]["function"]["arguments"])
    assert tool["call"]["function"]["name"] == "get_weather"
    assert set(arguments) == {"city", "unit"}
    assert arguments["unit"] in {"celsius", "fahrenheit"}
    assert tool["finish"] in {"stop", "tool_calls"}
    assert tool["final"]["role"] == "assistant"
    assert tool["final"]["content"] or tool["final"]["tool_calls"]


def test_a_json_schema_is_kept(facts: dict[str, Any]) -> None:
    parsed = facts["structured"]["parsed"]
    assert set(parsed) == {"city", "is_capital"}
    assert isinstance(parsed["city"], str)
    assert isinstance(parsed["is_capital"], bool)


@pytest.mark.parametrize("who", ["embeddings", "azureEmbeddings"])
def test_embeddings_have_unit_length_in_base64_and_in_numbers_alike(facts: dict[str, Any], who: str) -> None:
    answer = facts[who]
    assert answer["dimensions"] == [384, 384]
    assert answer["lengths"] == pytest.approx([1, 1], abs=1e-5)
    assert answer["furthest"] < 1e-6
    assert answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"] > 0


def test_models_are_listed_and_found(facts: dict[str, Any]) -> None:
    assert "smollm2-135m-instruct" in facts["models"]["ids"]
    assert facts["models"]["first"] == facts["models"]["ids"][0]


@pytest.mark.parametrize("who", ["wrongKey", "wrongAzureKey"])
def test_a_wrong_key_is_the_packages_authentication_error(facts: dict[str, Any], who: str) -> None:
    assert facts[who]["isExpected"], facts[who]
    assert facts[who]["status"] == 401


def test_an_unknown_model_is_the_packages_not_found_error(facts: dict[str, Any]) -> None:
    assert facts["unknownModel"]["isExpected"], facts["unknownModel"]
    assert facts["unknownModel"]["status"] == 404
