"""Text completions through the SDK, on every mount, over the echo engine."""

from typing import Any

import openai
import pytest


def complete(client: openai.OpenAI, **fields: Any) -> Any:
    return client.completions.create(**{"model": "echo", "prompt": "once upon a time", **fields})


@pytest.mark.parametrize("model", ["echo", "far"])
def test_a_text_is_continued_whole_and_as_a_stream(client: openai.OpenAI, model: str):
    answer = complete(client, model=model)
    assert (answer.object, answer.choices[0].text, answer.choices[0].finish_reason) == (
        "text_completion",
        "once upon a time",
        "stop",
    )
    assert answer.usage.total_tokens == 8
    chunks = list(complete(client, model=model, stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == "once upon a time"
    assert chunks[-1].usage.total_tokens == 8


@pytest.mark.parametrize("model", ["echo", "far"])
def test_choices_count_over_prompts_and_then_over_n(client: openai.OpenAI, model: str):
    answer = complete(client, model=model, prompt=["a", "b c"], n=2)
    assert [choice.text for choice in answer.choices] == ["a", "a", "b c", "b c"]
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (3, 6)


@pytest.mark.parametrize("model", ["echo", "far"])
def test_an_echo_with_log_probabilities_is_in_the_older_shape(client: openai.OpenAI, model: str):
    choice = complete(client, model=model, prompt="a b", echo=True, logprobs=1, max_tokens=1).choices[0]
    assert choice.text == "a ba"
    assert choice.logprobs.tokens == ["a", " b", "a"]
    assert choice.logprobs.token_logprobs == [None, 0.0, 0.0]
    assert choice.logprobs.text_offset == [0, 1, 3]
    assert choice.finish_reason == "length"


def test_token_ids_are_a_prompt_too(client: openai.OpenAI):
    assert complete(client, prompt=[[1, 2], [3]]).choices[1].text == " 3"


@pytest.mark.parametrize(
    ("fields", "param"),
    [({"suffix": "the end"}, "suffix"), ({"best_of": 1, "n": 2}, "best_of"), ({"logprobs": 9}, "logprobs")],
)
def test_a_field_that_cannot_be_honoured_is_named(client: openai.OpenAI, fields: dict[str, Any], param: str):
    with pytest.raises(openai.BadRequestError) as refusal:
        complete(client, **fields)
    assert refusal.value.param == param


def test_a_model_that_cannot_continue_texts_says_so(client: openai.OpenAI):
    with pytest.raises(openai.BadRequestError, match="does not work with the specified model"):
        complete(client, model="chat-only")


def test_a_stream_that_breaks_ends_with_an_error_event(client: openai.OpenAI):
    stream = complete(client, model="fragile", stream=True)
    assert [next(stream).choices[0].text for _ in range(2)] == ["once", " upon"]
    with pytest.raises(openai.APIError, match="fail_after"):
        next(stream)
