"""Chat with the real small model: what is asked for is what is done."""

import json
import math

import pytest

from smalt.core.errors import ContextLengthExceeded, InvalidRequest

pytestmark = pytest.mark.real

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 8}, "age": {"type": "integer", "minimum": 1, "maximum": 99}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def formatted(schema, *, strict=True):
    return {"type": "json_schema", "json_schema": {"name": "person", "schema": schema, "strict": strict}}


async def test_a_question_is_answered_and_counted(engine, ask):
    answer = await ask(engine, messages="What is 2+2?", temperature=0, max_tokens=30)
    assert "4" in answer.content[0]
    assert answer.finish[0] in ("stop", "length")
    assert answer.usage.prompt_tokens > 30  # the template's own system message among them
    assert 0 < answer.usage.completion_tokens <= 30


async def test_the_same_question_again_comes_from_the_cache(engine, ask):
    messages = "Tell me about the sea, the sand and the sky."
    first = await ask(engine, messages=messages, max_tokens=2)
    again = await ask(engine, messages=messages, max_tokens=2)
    assert again.usage.prompt_tokens == first.usage.prompt_tokens
    assert again.usage.cached_tokens == first.usage.prompt_tokens - 1


async def test_an_answer_that_reaches_its_limit_says_length(engine, ask):
    answer = await ask(engine, messages="Write a long story.", max_tokens=3)
    assert answer.finish == {0: "length"}
    assert answer.usage.completion_tokens == 3


async def test_the_same_seed_gives_the_same_answer_and_another_seed_another(engine, ask):
    first, again, other = [await ask(engine, messages="Invent a name.", seed=seed, max_tokens=8) for seed in (7, 7, 8)]
    assert first.content == again.content
    assert first.content != other.content


async def test_choices_are_independent_and_counted_together(engine, ask):
    answer = await ask(engine, messages="Invent a name.", n=3, seed=1, max_tokens=6)
    assert sorted(answer.content) == [0, 1, 2]
    assert len(set(answer.content.values())) > 1
    assert 3 < answer.usage.completion_tokens <= 18
    single = await ask(engine, messages="Invent a name.", seed=1, max_tokens=6)
    assert answer.usage.prompt_tokens == single.usage.prompt_tokens
    assert answer.content[0] == single.content[0]


@pytest.mark.parametrize("logprobs", [False, True])
async def test_a_stop_text_ends_the_answer_and_is_not_in_it(engine, ask, logprobs):
    answer = await ask(
        engine,
        messages="Repeat: one two three four five six.",
        stop=["four"],
        temperature=0,
        max_tokens=30,
        logprobs=logprobs,
    )
    assert answer.finish == {0: "stop"}
    assert answer.content[0]
    assert "four" not in answer.content[0]
    assert answer.usage.completion_tokens < 30


async def test_log_probabilities_spell_out_the_text(engine, ask):
    answer = await ask(engine, messages="Say hello.", logprobs=True, top_logprobs=2, temperature=0, max_tokens=5)
    entries = answer.logprobs[0]
    assert b"".join(bytes(entry.bytes) for entry in entries).decode() == answer.content[0]
    assert all(entry.logprob <= 0 and len(entry.top) == 2 for entry in entries)
    assert all(math.isclose(entry.logprob, entry.top[0].logprob) for entry in entries), "the likeliest was drawn"


async def test_a_banned_token_does_not_appear(engine, ask):
    free = await ask(engine, messages="Say hello.", temperature=0, max_tokens=1)
    tokens = (await engine._worker.server.ask("/tokenize", {"content": free.content[0]}))["tokens"]
    bound = await ask(engine, messages="Say hello.", temperature=0, max_tokens=1, logit_bias={str(tokens[0]): -100})
    assert bound.content != free.content


async def test_a_token_id_beyond_the_vocabulary_is_refused(engine, ask):
    with pytest.raises(InvalidRequest, match="49152") as caught:
        await ask(engine, logit_bias={"49152": 1})
    assert caught.value.param == "logit_bias"


async def test_a_json_object_is_json(engine, ask):
    answer = await ask(
        engine,
        messages="Describe yourself as a json object with the key name.",
        response_format={"type": "json_object"},
        max_tokens=80,
        temperature=0,
    )
    if answer.finish[0] == "stop":
        assert isinstance(json.loads(answer.content[0]), dict)
    assert answer.content[0].startswith("{")


@pytest.mark.parametrize("strict", [False, True])
async def test_an_answer_fits_its_schema(engine, ask, strict):
    answer = await ask(
        engine, messages="A person.", response_format=formatted(PERSON, strict=strict), max_tokens=60, temperature=1.8
    )
    person = json.loads(answer.content[0])
    assert list(person) == ["name", "age"]
    assert len(person["name"]) <= 8
    assert 1 <= person["age"] <= 99
    assert answer.finish == {0: "stop"}


@pytest.mark.parametrize(
    ("part", "named"),
    [
        ({"type": "string", "pattern": "a(?=b)"}, "properties.part"),
        ({"not": {"type": "string"}}, "properties.part.not"),
        ({"type": "array", "items": {"type": "integer"}, "uniqueItems": True}, "properties.part.uniqueItems"),
        ({"$ref": "#/$defs/missing"}, "properties.part.$ref"),
        ({"type": "integer", "minimum": 5, "maximum": 3}, "properties.part"),
    ],
)
async def test_a_schema_that_cannot_be_held_is_refused_by_its_part(engine, ask, part, named):
    with pytest.raises(InvalidRequest, match="Invalid schema for response_format 'person'") as caught:
        await ask(
            engine, response_format=formatted({"type": "object", "properties": {"part": part}, "required": ["part"]})
        )
    assert caught.value.param == "response_format.json_schema.schema"
    assert f"'{named}'" in caught.value.message


async def test_a_recursive_schema_is_held(engine, ask):
    node = {
        "type": "object",
        "properties": {
            "value": {"type": "integer", "minimum": 0, "maximum": 9},
            "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
        },
        "required": ["value", "next"],
        "additionalProperties": False,
    }
    answer = await ask(
        engine, messages="A list.", response_format=formatted({"$defs": {"node": node}, "$ref": "#/$defs/node"}), seed=3
    )
    assert answer.content[0].startswith('{"value": ')


async def test_a_prompt_longer_than_the_context_is_refused_before_anything_is_sent(engine, ask):
    with pytest.raises(ContextLengthExceeded, match=r"maximum context length is 2048 tokens\. However, your messages"):
        await ask(engine, messages="hello " * 2500)


async def test_more_tokens_than_the_context_has_left_are_refused(engine, ask):
    with pytest.raises(ContextLengthExceeded, match=r"you requested \d+ tokens \(\d+ in the messages, 1900 in the"):
        await ask(engine, messages="hello " * 200, max_tokens=1900)


async def test_several_requests_are_answered_at_once(engine, ask):
    import asyncio

    answers = await asyncio.gather(*(ask(engine, messages=f"Say {word}.", max_tokens=4) for word in "abcdef"))
    assert all(answer.finish for answer in answers)
