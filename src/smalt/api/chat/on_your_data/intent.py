"""Finds out what to search for: the queries that a conversation comes down to."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

import orjson

from smalt.core.errors import ApiError, InvalidRequest
from smalt.engines.protocols import ChatDelta, ChatEngine, ChatEvent, Usage
from smalt.models import Models
from smalt.retrieval.data_sources.words import content_words
from smalt.schemas.chat import (
    AzureCreateChatCompletionRequest,
    ChatCompletionRequestAssistantMessage,
    ChatCompletionRequestMessage,
    ChatCompletionRequestMessageContentPartText,
    ChatCompletionRequestUserMessage,
)

logger = logging.getLogger("smalt.api.chat")

DEFAULT_QUERIES = 3
MOST_QUERIES = 10
LONGEST_QUERY = 400
LONGEST_TURN = 600
TURNS = 6
MOST_TOKENS = 160
SECONDS = 20.0
FEW_WORDS = 4
"""A message with fewer words that say something may lean on the message before."""

INSTRUCTIONS = (
    "Write what to type into a search engine to answer the last message of the user. Each query must be understood "
    "without the conversation: put names in the place of words like 'it' and 'they'. Answer with JSON."
)


@dataclass(frozen=True, slots=True)
class Intent:
    """What to search for, and the tokens that finding it out has cost; `asked` is the same in the user's words."""

    queries: tuple[str, ...]
    asked: tuple[str, ...]
    usage: Usage | None = None


async def find_intent(body: AzureCreateChatCompletionRequest, models: Models, *, most: int | None) -> Intent:
    """The queries: the user's message when it stands alone, else what the model makes of the conversation."""
    turns = _turns(body.messages)
    asked = [text for is_user, text in turns if is_user]
    if not asked:
        raise InvalidRequest(
            "On Your Data needs a user message with text: it is what the data source is searched for.",
            param="messages",
        )
    if len(asked) == 1:
        alone = (_shortened(asked[-1], LONGEST_QUERY),)
        return Intent(alone, alone)
    wanted = min(most or DEFAULT_QUERIES, MOST_QUERIES)
    queries, usage = await _ask(body.model, turns, models, wanted)
    leaning = _leaning(asked, wanted)
    return Intent(tuple(_sensible(queries, asked)[:wanted]) or leaning, leaning, usage)


async def _ask(
    model: str, turns: Sequence[tuple[bool, str]], models: Models, wanted: int
) -> tuple[list[str], Usage | None]:
    """What the model says, and its cost; nothing when it says nothing of use in time."""
    reply = _Reply()
    try:
        async with asyncio.timeout(SECONDS), models.lease(model, ChatEngine) as engine:
            events = cast("AsyncGenerator[ChatEvent]", engine.chat(_question(model, turns, wanted)))
            async with aclosing(events):
                async for event in events:
                    reply.hear(event)
    except (ApiError, TimeoutError) as error:
        # The answer itself will meet a failure that lasts; the search can do without the model.
        logger.info("no intent from the model", extra={"model": model, "reason": type(error).__name__})
    return _queries("".join(reply.said)), reply.usage


class _Reply:
    def __init__(self) -> None:
        self.said: list[str] = []
        self.usage: Usage | None = None

    def hear(self, event: ChatEvent) -> None:
        if isinstance(event, ChatDelta):
            self.said.append(event.content or "")
        elif isinstance(event, Usage):
            self.usage = event


def _question(model: str, turns: Sequence[tuple[bool, str]], wanted: int) -> AzureCreateChatCompletionRequest:
    told = "\n".join(
        f"{'User' if is_user else 'Assistant'}: {_shortened(text, LONGEST_TURN)}" for is_user, text in turns[-TURNS:]
    )
    schema = {
        "type": "object",
        "properties": {"queries": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": wanted}},
        "required": ["queries"],
        "additionalProperties": False,
    }
    return AzureCreateChatCompletionRequest.model_validate(
        {
            "model": model,
            "messages": [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": told}],
            "max_completion_tokens": MOST_TOKENS,
            "temperature": 0.0,
            "response_format": {"type": "json_schema", "json_schema": {"name": "queries", "schema": schema}},
        }
    )


def _queries(said: str) -> list[str]:
    try:
        found: Any = orjson.loads(said)["queries"]
        return [one.strip() for one in found if isinstance(one, str)]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return []


def _sensible(queries: Sequence[str], asked: Sequence[str]) -> list[str]:
    """The queries that are about what the user talks of; a small model may write anything."""
    spoken = set[str]().union(*(content_words(text) for text in asked))
    fit = [one for one in queries if 0 < len(one) <= LONGEST_QUERY and content_words(one) & spoken]
    return list(dict.fromkeys(fit))


def _leaning(asked: Sequence[str], wanted: int) -> tuple[str, ...]:
    """Queries without a model: the last message, and with the one before it when it says little alone."""
    last = _shortened(asked[-1], LONGEST_QUERY)
    both = _shortened(f"{asked[-2]} {asked[-1]}", LONGEST_QUERY)
    if len(content_words(last)) >= FEW_WORDS:
        return (last,)
    return (both,) if wanted == 1 else (both, last)


def _turns(messages: Sequence[ChatCompletionRequestMessage]) -> list[tuple[bool, str]]:
    """What user and assistant have said, and whether it was the user; up to the user's last message."""
    turns: list[tuple[bool, str]] = []
    for message in messages:
        if isinstance(message, ChatCompletionRequestUserMessage | ChatCompletionRequestAssistantMessage):
            text = text_of(message)
            if text:
                turns.append((isinstance(message, ChatCompletionRequestUserMessage), text))
    while turns and not turns[-1][0]:
        turns.pop()
    return turns


def text_of(message: ChatCompletionRequestUserMessage | ChatCompletionRequestAssistantMessage) -> str:
    """What a message says in words."""
    content = message.content
    if content is None or isinstance(content, str):
        return (content or "").strip()
    parts = [part.text for part in content if isinstance(part, ChatCompletionRequestMessageContentPartText)]
    return "\n".join(parts).strip()


def _shortened(text: str, length: int) -> str:
    """The end of a long text, where questions stand."""
    text = " ".join(text.split())
    return text if len(text) <= length else text[-length:].partition(" ")[2] or text[-length:]
