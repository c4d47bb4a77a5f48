"""What every engine keeps, whoever wrote it: one suite for each protocol.

A test module subclasses a suite, gives it the fixture `engine`, and says in class attributes what its model can do. The
suites ask for nothing that a small real model could not do.
"""

import asyncio
import json
import math
from array import array
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest

from smalt.core.errors import InvalidRequest
from smalt.engines.protocols import (
    ChatDelta,
    ChatEngine,
    CompletionDelta,
    CompletionEngine,
    EmbeddingEngine,
    Embeddings,
    Serving,
    TokenLogprob,
    TokenReader,
    ToolCallDelta,
    Usage,
)
from smalt.schemas.chat import AzureCreateChatCompletionRequest
from smalt.schemas.completions import CreateCompletionRequest

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tells the weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "fahrenheit"]}},
            "required": ["city", "unit"],
            "additionalProperties": False,
        },
    },
}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 20}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


@dataclass
class Told:
    """Everything that an engine's events said."""

    texts: dict[int, str] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    logprobs: dict[int, list[TokenLogprob]] = field(default_factory=dict)
    calls: dict[tuple[int, int], list[ToolCallDelta]] = field(default_factory=dict)
    serving: list[Serving] = field(default_factory=list)
    usages: list[Usage] = field(default_factory=list)

    def add(self, event: Any) -> None:
        assert not self.usages, "nothing comes after the usage"
        if isinstance(event, Serving):
            self.serving.append(event)
        elif isinstance(event, Usage):
            self.usages.append(event)
        else:
            self._add_delta(event)

    def _add_delta(self, delta: ChatDelta | CompletionDelta) -> None:
        assert delta.choice not in self.reasons, "nothing of a choice comes after its finish reason"
        text = delta.text if isinstance(delta, CompletionDelta) else delta.content or ""
        self.texts[delta.choice] = self.texts.get(delta.choice, "") + text
        self.logprobs.setdefault(delta.choice, []).extend(delta.logprobs or ())
        for call in delta.tool_calls if isinstance(delta, ChatDelta) else ():
            self.calls.setdefault((delta.choice, call.index), []).append(call)
        if delta.finish_reason is not None:
            self.reasons[delta.choice] = delta.finish_reason

    @property
    def usage(self) -> Usage:
        (usage,) = self.usages
        return usage


async def heard(events: AsyncIterator[Any]) -> Told:
    """Listen to an answer to its end."""
    told = Told()
    async for event in events:
        told.add(event)
    assert told.reasons.keys() == told.texts.keys(), "every choice has a finish reason"
    return told


def chat(**fields: Any) -> AzureCreateChatCompletionRequest:
    messages = [{"role": "user", "content": "Tell me about the sea and the ships on it, please."}]
    return AzureCreateChatCompletionRequest.model_validate({"model": "m", "messages": messages, **fields})


def prompt(**fields: Any) -> CreateCompletionRequest:
    body = {"model": "m", "prompt": "The sea is wide and the ships on it are small", **fields}
    return CreateCompletionRequest.model_validate(body)


def spelled(entries: list[TokenLogprob]) -> str:
    """The text that tokens make together, by their bytes where they have any."""
    return b"".join(
        bytes(entry.bytes) if entry.bytes is not None else entry.token.encode() for entry in entries
    ).decode(errors="replace")


class ChatEngineSuite:
    """What every `ChatEngine` keeps."""

    can_call_tools: ClassVar[bool] = True
    can_score_tokens: ClassVar[bool] = True

    @pytest.fixture
    def engine(self) -> ChatEngine:
        raise NotImplementedError

    async def test_an_answer_has_text_a_reason_and_its_usage_last(self, engine: ChatEngine):
        told = await heard(engine.chat(chat(max_completion_tokens=12, stream=True)))
        assert told.texts[0]
        assert told.reasons[0] in {"stop", "length"}
        assert told.usage.prompt_tokens > 5
        assert 0 < told.usage.completion_tokens <= 12

    async def test_whole_and_streamed_answers_are_the_same(self, engine: ChatEngine):
        fields = {"max_completion_tokens": 8, "temperature": 0, "seed": 1}
        whole = await heard(engine.chat(chat(**fields)))
        streamed = await heard(engine.chat(chat(**fields, stream=True)))
        assert whole.texts == streamed.texts
        assert whole.reasons == streamed.reasons
        assert whole.usage.completion_tokens == streamed.usage.completion_tokens

    async def test_what_answers_is_said_before_anything_else_if_at_all(self, engine: ChatEngine):
        events = [event async for event in engine.chat(chat(max_completion_tokens=2, stream=True))]
        assert not any(isinstance(event, Serving) for event in events[1:])

    async def test_a_limit_ends_the_answer_with_length(self, engine: ChatEngine):
        told = await heard(engine.chat(chat(max_tokens=2)))
        assert told.reasons == {0: "length"}
        assert told.usage.completion_tokens == 2

    async def test_usage_counts_every_choice(self, engine: ChatEngine):
        told = await heard(engine.chat(chat(n=2, max_completion_tokens=3)))
        assert sorted(told.texts) == [0, 1]
        assert told.usage.completion_tokens == 6

    async def test_a_stop_sequence_is_not_part_of_the_answer(self, engine: ChatEngine):
        told = await heard(engine.chat(chat(max_completion_tokens=30, stop=["e", "E"])))
        assert "e" not in told.texts[0].lower()
        assert told.reasons[0] in {"stop", "length"}

    async def test_log_probabilities_spell_the_answer(self, engine: ChatEngine):
        if not self.can_score_tokens:
            return
        told = await heard(engine.chat(chat(max_completion_tokens=4, logprobs=True, top_logprobs=2)))
        entries = told.logprobs[0]
        assert spelled(entries).startswith(told.texts[0])
        assert all(entry.logprob <= 0 and 1 <= len(entry.top) <= 2 for entry in entries)

    async def test_a_named_tool_is_called_with_arguments_that_fit(self, engine: ChatEngine):
        if not self.can_call_tools:
            return
        choice = {"type": "function", "function": {"name": "get_weather"}}
        # At random, a small model's words may go on beyond any limit.
        certain = {"temperature": 0, "max_tokens": 200}
        told = await heard(engine.chat(chat(tools=[WEATHER], tool_choice=choice, stream=True, **certain)))
        pieces = told.calls[0, 0]
        assert pieces[0].id
        assert pieces[0].name == "get_weather"
        assert not any(piece.id or piece.name for piece in pieces[1:])
        arguments = json.loads("".join(piece.arguments for piece in pieces))
        assert arguments.keys() == {"city", "unit"}
        assert arguments["unit"] in {"celsius", "fahrenheit"}
        assert told.reasons[0] in {"tool_calls", "stop"}

    async def test_a_required_tool_is_called_and_a_forbidden_one_is_not(self, engine: ChatEngine):
        if not self.can_call_tools:
            return
        certain = {"temperature": 0, "max_tokens": 200}
        required = await heard(engine.chat(chat(tools=[WEATHER], tool_choice="required", **certain)))
        assert required.reasons[0] == "tool_calls"
        assert required.calls
        forbidden = await heard(engine.chat(chat(tools=[WEATHER], tool_choice="none", max_tokens=4)))
        assert not forbidden.calls

    async def test_a_schema_is_kept_to(self, engine: ChatEngine):
        form = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON, "strict": True}}
        told = await heard(engine.chat(chat(response_format=form, temperature=0, max_completion_tokens=100)))
        answer = json.loads(told.texts[0])
        assert answer.keys() == {"name", "age"}
        assert isinstance(answer["age"], int)

    async def test_any_json_object_can_be_asked_for(self, engine: ChatEngine):
        form = {"type": "json_object"}
        messages = [{"role": "user", "content": "Describe a ship as JSON."}]
        told = await heard(
            engine.chat(chat(messages=messages, response_format=form, max_completion_tokens=400, seed=3))
        )
        if told.reasons[0] == "stop":
            assert isinstance(json.loads(told.texts[0]), dict)

    async def test_a_spoken_answer_is_refused_by_name_unless_it_can_be_given(self, engine: ChatEngine):
        body = chat(modalities=["text", "audio"], audio={"voice": "alloy", "format": "wav"})
        with pytest.raises(InvalidRequest) as refusal:
            await heard(engine.chat(body))
        assert refusal.value.param in {"audio", "modalities"}

    async def test_closing_early_ends_the_work(self, engine: ChatEngine):
        async with asyncio.timeout(10):
            async with aclosing(engine.chat(chat(max_completion_tokens=500, stream=True))) as events:
                async for event in events:
                    if isinstance(event, ChatDelta):
                        break
            await heard(engine.chat(chat(max_completion_tokens=2)))

    async def test_many_can_ask_at_once(self, engine: ChatEngine):
        answers = await asyncio.gather(*(heard(engine.chat(chat(max_tokens=2, stream=True))) for _ in range(6)))
        assert all(told.usage.completion_tokens == 2 for told in answers)


class CompletionEngineSuite:
    """What every `CompletionEngine` keeps."""

    can_score_tokens: ClassVar[bool] = True
    can_echo: ClassVar[bool] = True

    @pytest.fixture
    def engine(self) -> CompletionEngine:
        raise NotImplementedError

    async def test_a_continuation_has_text_a_reason_and_its_usage_last(self, engine: CompletionEngine):
        told = await heard(engine.complete(prompt(max_tokens=5, stream=True)))
        assert told.texts[0]
        assert told.reasons[0] in {"stop", "length"}
        assert told.usage.prompt_tokens > 5

    async def test_sixteen_tokens_are_the_most_when_none_are_asked_for(self, engine: CompletionEngine):
        told = await heard(engine.complete(prompt(prompt="a " * 40)))
        assert told.usage.completion_tokens <= 16

    async def test_choices_count_over_prompts_and_then_over_n(self, engine: CompletionEngine):
        told = await heard(engine.complete(prompt(prompt=["one two", "three four"], n=2, max_tokens=2)))
        assert sorted(told.texts) == [0, 1, 2, 3]
        assert told.usage.completion_tokens <= 8

    async def test_whole_and_streamed_texts_are_the_same(self, engine: CompletionEngine):
        fields = {"max_tokens": 6, "temperature": 0, "seed": 1}
        whole = await heard(engine.complete(prompt(**fields)))
        streamed = await heard(engine.complete(prompt(**fields, stream=True)))
        assert whole.texts == streamed.texts
        assert whole.usage.completion_tokens == streamed.usage.completion_tokens

    async def test_an_echo_begins_with_the_prompt(self, engine: CompletionEngine):
        if not self.can_echo:
            return
        told = await heard(engine.complete(prompt(prompt="one two", echo=True, max_tokens=2)))
        assert told.texts[0].startswith("one two")

    async def test_token_ids_are_read_as_the_text_that_is_continued(self, engine: CompletionEngine):
        if not isinstance(engine, TokenReader):
            return  # another server does not tell what its tokens stand for
        tokens = [40, 41, 42]
        told = await heard(engine.complete(prompt(prompt=tokens, echo=True, max_tokens=1)))
        text = await engine.text_of(tokens)
        assert text.strip()
        assert told.texts[0].startswith(text)

    async def test_log_probabilities_spell_the_text(self, engine: CompletionEngine):
        if not self.can_score_tokens:
            return
        told = await heard(engine.complete(prompt(logprobs=1, max_tokens=3)))
        assert spelled(told.logprobs[0]).startswith(told.texts[0])
        assert all(math.isnan(entry.logprob) or entry.logprob <= 0 for entry in told.logprobs[0])


class EmbeddingEngineSuite:
    """What every `EmbeddingEngine` keeps."""

    @pytest.fixture
    def engine(self) -> EmbeddingEngine:
        raise NotImplementedError

    async def test_vectors_have_unit_length_and_the_order_of_the_inputs(self, engine: EmbeddingEngine):
        both = await engine.embed(["a ship on the sea", "a recipe for bread"])
        alone = await engine.embed(["a recipe for bread"])
        rows = rows_of(both)
        assert len(rows) == 2
        assert all(math.isclose(math.hypot(*row), 1, abs_tol=1e-3) for row in rows)
        assert likeness(rows[1], rows_of(alone)[0]) > 0.99
        assert likeness(rows[0], rows[1]) < 0.9
        assert both.prompt_tokens > alone.prompt_tokens > 0

    async def test_fewer_dimensions_are_the_first_ones_with_unit_length(self, engine: EmbeddingEngine):
        whole = await engine.embed(["a ship on the sea"])
        cut = await engine.embed(["a ship on the sea"], 16)
        assert cut.dimensions == 16
        (row,) = rows_of(cut)
        assert math.isclose(math.hypot(*row), 1, abs_tol=1e-3)
        assert likeness(row, rows_of(whole)[0][:16]) > 0.99

    async def test_too_many_dimensions_are_refused_by_name(self, engine: EmbeddingEngine):
        with pytest.raises(InvalidRequest) as refusal:
            await engine.embed(["a ship"], 100_000)
        assert refusal.value.param == "dimensions"

    async def test_token_ids_are_inputs_too(self, engine: EmbeddingEngine):
        vectors = await engine.embed([[10, 11, 12], [13]])
        assert len(rows_of(vectors)) == 2


def rows_of(vectors: Embeddings) -> list[list[float]]:
    numbers = array("f", vectors.rows).tolist()
    size = vectors.dimensions
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]


def likeness(one: list[float], other: list[float]) -> float:
    """The cosine of the angle between two vectors."""
    product = sum(left * right for left, right in zip(one, other, strict=True))
    return product / (math.hypot(*one) * math.hypot(*other))
