"""Asks a chat model of the Llama Guard kind whether a text is safe."""

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Final, cast

from smalt.core.errors import EngineFailed
from smalt.engines.protocols import ChatDelta, ChatEngine, ChatEvent, Scores
from smalt.models import Models
from smalt.schemas.chat import AzureCreateChatCompletionRequest

MOST_TOKENS: Final = 64
VERDICT: Final = re.compile(r"\s*(safe|unsafe)\b(.*)", re.DOTALL | re.IGNORECASE)
HAZARD: Final = re.compile(r"\bS\d{1,2}\b")

CATEGORIES: Final[Mapping[str, tuple[str, ...]]] = {
    "S1": ("violence", "illicit/violent"),
    "S2": ("illicit",),
    "S3": ("sexual", "illicit"),
    "S4": ("sexual/minors", "sexual"),
    "S9": ("violence", "illicit/violent"),
    "S10": ("hate",),
    "S11": ("self-harm",),
    "S12": ("sexual",),
}
"""Llama Guard's hazards as OpenAI's categories; defamation, advice, privacy, property and elections have none."""


class Guard:
    """A chat deployment that says `safe`, or `unsafe` and why."""

    def __init__(self, models: Models, name: str) -> None:
        self._models = models
        self._name = name

    async def scores(self, text: str, question: str | None) -> Scores:
        """The scores of something that is asked, or of what is answered to `question`: 1 where it is unsafe."""
        messages = [{"role": "user", "content": text}]
        if question is not None:
            messages = [{"role": "user", "content": question}, {"role": "assistant", "content": text}]
        body = {"model": self._name, "messages": messages, "max_tokens": MOST_TOKENS, "temperature": 0}
        return read_verdict(await self._said(AzureCreateChatCompletionRequest.model_validate(body)))

    async def _said(self, body: AzureCreateChatCompletionRequest) -> str:
        async with (
            self._models.lease(self._name, ChatEngine) as engine,
            # Every engine's stream is a generator; the protocol asks for less.
            aclosing(cast("AsyncGenerator[ChatEvent]", engine.chat(body))) as events,
        ):
            return "".join([event.content or "" async for event in events if isinstance(event, ChatDelta)])


def read_verdict(said: str) -> Scores:
    """The scores that a verdict means; raises `EngineFailed` for what is none."""
    verdict = VERDICT.match(said)
    if verdict is None:
        raise EngineFailed(
            f"content_filter.guard_model said {said[:80]!r}, neither safe nor unsafe. Name a guard model."
        )
    if verdict[1].lower() == "safe":
        return {}
    return {category: 1.0 for hazard in HAZARD.findall(verdict[2]) for category in CATEGORIES.get(hazard, ())}
