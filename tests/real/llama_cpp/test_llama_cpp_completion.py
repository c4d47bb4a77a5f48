"""Text completions with the real small model."""

import math

import pytest

from smalt.core.errors import ContextLengthExceeded, InvalidRequest, UnsupportedParameter

pytestmark = pytest.mark.real


async def test_a_text_is_continued(engine, complete):
    texts, usage = await complete(engine, "The capital of France is", temperature=0, max_tokens=1)
    assert texts[0].text == " Paris"
    assert texts[0].finish == "length"
    assert (usage.prompt_tokens, usage.completion_tokens) == (5, 1)


async def test_sixteen_tokens_are_the_usual_limit(engine, complete):
    _, usage = await complete(engine, "Once upon a time", max_tokens=None, seed=1)
    assert usage.completion_tokens == 16


async def test_every_prompt_has_its_choices_in_order(engine, complete):
    texts, usage = await complete(engine, ["The capital of France is", "Two, four, six,"], n=2, echo=True, seed=1)
    assert list(texts) == [0, 1, 2, 3]
    assert all(texts[index].text.startswith("The capital of France is") for index in (0, 1))
    assert all(texts[index].text.startswith("Two, four, six,") for index in (2, 3))
    assert usage.completion_tokens <= 16
    single, of_one = await complete(engine, "The capital of France is")
    assert usage.prompt_tokens > of_one.prompt_tokens
    assert single[0].finish


@pytest.mark.parametrize("prompt", [[504, 3575], [[504, 3575], [504]], None, ""])
async def test_tokens_and_nothing_are_prompts_too(engine, complete, prompt):
    texts, usage = await complete(engine, prompt)
    assert len(texts) == (2 if prompt and isinstance(prompt[0], list) else 1)
    assert usage.prompt_tokens == (3 if len(texts) == 2 else max(1, len(prompt or [])))


async def test_a_token_beyond_the_vocabulary_is_refused(engine, complete):
    with pytest.raises(InvalidRequest, match=r"Invalid token in prompt: 99999\. Minimum value is 0, maximum .* 49151"):
        await complete(engine, [99999])


async def test_echoed_tokens_have_their_probabilities_but_for_the_first(engine, complete):
    texts, _ = await complete(engine, "The capital of France is", echo=True, logprobs=2, max_tokens=0)
    entries = texts[0].logprobs
    assert "".join(entry.token for entry in entries) == texts[0].text == "The capital of France is"
    assert math.isnan(entries[0].logprob)
    assert all(-20 < entry.logprob < 0 and len(entry.top) == 2 for entry in entries[1:])


async def test_an_echoed_token_is_as_likely_as_when_it_was_drawn(engine, complete):
    drawn, _ = await complete(engine, "The capital of France", logprobs=1, max_tokens=2, temperature=0)
    echoed, _ = await complete(engine, "The capital of France" + drawn[0].text, echo=True, logprobs=1, max_tokens=0)
    for mine, theirs in zip(drawn[0].logprobs, echoed[0].logprobs[-2:], strict=True):
        assert mine.token == theirs.token
        assert math.isclose(mine.logprob, theirs.logprob, abs_tol=0.1)


async def test_the_likeliest_of_several_is_returned_and_all_are_counted(engine, complete):
    texts, usage = await complete(engine, "The sky is", best_of=3, n=1, max_tokens=3, seed=1)
    assert list(texts) == [0]
    assert not texts[0].logprobs
    assert usage.completion_tokens == 9


async def test_choosing_cannot_be_streamed(engine, complete):
    with pytest.raises(InvalidRequest) as caught:
        await complete(engine, "The sky is", best_of=3, n=1, stream=True)
    assert caught.value.param == "best_of"


async def test_a_model_that_cannot_fill_in_says_so(engine, complete):
    with pytest.raises(UnsupportedParameter) as caught:
        await complete(engine, "def f(x):", suffix="return y")
    assert caught.value.param == "suffix"


@pytest.mark.parametrize("logprobs", [None, 1])
async def test_a_stop_text_ends_the_text(engine, complete, logprobs):
    texts, _ = await complete(engine, "1, 2, 3, 4,", stop=["6"], temperature=0, max_tokens=20, logprobs=logprobs)
    assert texts[0].text == " 5, "
    assert texts[0].finish == "stop"


async def test_prompts_beyond_the_context_are_refused(engine, complete):
    with pytest.raises(ContextLengthExceeded, match="maximum context length is 2048 tokens") as caught:
        await complete(engine, ["short", "hello " * 2500])
    assert caught.value.param == "prompt"
