"""Embeddings through the SDK, on every mount, over the echo engine."""

import math
from typing import Any

import openai
import pytest


def embed(client: openai.OpenAI, text: Any = "a text", **fields: Any) -> Any:
    return client.embeddings.create(**{"model": "echo", "input": text, **fields})


@pytest.mark.parametrize("model", ["echo", "far", "text-embedding-3-small"])
def test_each_input_has_a_vector_of_unit_length(client: openai.OpenAI, model: str):
    answer = embed(client, ["one", "two words"], model=model)
    assert [item.index for item in answer.data] == [0, 1]
    assert all(math.isclose(math.hypot(*item.embedding), 1, abs_tol=1e-5) for item in answer.data)
    assert (answer.model, answer.usage.prompt_tokens, answer.usage.total_tokens) == ("echo", 3, 3)


@pytest.mark.parametrize("model", ["echo", "far"])
def test_numbers_and_base64_say_the_same(client: openai.OpenAI, model: str):
    numbers = embed(client, model=model, encoding_format="float").data[0].embedding
    default = embed(client, model=model).data[0].embedding
    assert numbers == pytest.approx(default)
    assert isinstance(embed(client, model=model, encoding_format="base64").data[0].embedding, str)


@pytest.mark.parametrize("model", ["echo", "far"])
def test_dimensions_are_cut(client: openai.OpenAI, model: str):
    assert len(embed(client, model=model, dimensions=8).data[0].embedding) == 8
    with pytest.raises(openai.BadRequestError) as refusal:
        embed(client, model=model, dimensions=10_000)
    assert refusal.value.param == "dimensions"


@pytest.mark.parametrize("model", ["echo", "far"])
def test_token_ids_are_inputs(client: openai.OpenAI, model: str):
    assert len(embed(client, [5, 6, 7], model=model).data) == 1
    assert len(embed(client, [[5], [6, 7]], model=model).data) == 2


def test_two_thousand_inputs_are_the_most(client: openai.OpenAI):
    assert len(embed(client, ["a"] * 2048, dimensions=2).data) == 2048
    with pytest.raises(openai.BadRequestError) as refusal:
        embed(client, ["a"] * 2049)
    assert refusal.value.param == "input"


@pytest.mark.parametrize("text", ["", [], [""], [[]]])
def test_nothing_is_no_input(client: openai.OpenAI, text: Any):
    with pytest.raises(openai.BadRequestError):
        embed(client, text)


def test_a_model_that_makes_no_vectors_says_which_does(client: openai.OpenAI):
    with pytest.raises(openai.BadRequestError, match="Choose one of: echo"):
        embed(client, model="chat-only")
