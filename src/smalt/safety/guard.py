"""Asks a chat model of the Llama Guard kind whether a text is safe."""

import re
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import aclosing
from typing import Final, cast

from smalt.core.errors import EngineFailed
from smalt.engines.protocols import ChatDelta, ChatEngine, ChatEvent, Scores
from smalt.models import Models
from smalt.safety.scoring import Remembered, digest, pieces_of, readable
from smalt.schemas.chat import AzureCreateChatCompletionRequest

MOST_TOKENS: Final = 64
PIECE: Final = 4_000
"""Characters of a text, or of a question, that are shown at once: beside its instructions a guard has room for them."""

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


class NoVerdict(EngineFailed):
    """What a guard said is neither safe nor unsafe."""


class Guard:
    """A chat deployment that says `safe`, or `unsafe` and why."""

    def __init__(self, models: Models, name: str) -> None:
        self._models = models
        self._name = name
        self._remembered = Remembered()

    @staticmethod
    def pieces(texts: Iterable[str]) -> Iterator[str]:
        """The texts in pieces that `scores` takes."""
        for text in readable(texts):
            yield from pieces_of(text, PIECE)

    async def scores(self, piece: str, question: str | None = None) -> Scores:
        """The scores of something that is asked, or of what is answered to `question`: 1 where it is unsafe."""
        asked = readable([question[-PIECE:]] if question else [])
        name = digest("guarded", piece, *asked)
        if (known := self._remembered.find(name)) is not None:
            return known
        messages = [{"role": "user", "content": one} for one in (*asked, piece)]
        if asked:
            messages[-1]["role"] = "assistant"
        body = {"model": self._name, "messages": messages, "max_tokens": MOST_TOKENS, "temperature": 0}
        found = read_verdict(await self._said(AzureCreateChatCompletionRequest.model_validate(body)))
        self._remembered.keep(name, found)
        return found

    async def _said(self, body: AzureCreateChatCompletionRequest) -> str:
        async with (
            self._models.lease(self._name, ChatEngine) as engine,
            # Every engine's stream is a generator; the protocol asks for less.
            aclosing(cast("AsyncGenerator[ChatEvent]", engine.chat(body))) as events,
        ):
            return "".join([event.content or "" async for event in events if isinstance(event, ChatDelta)])


def read_verdict(said: str) -> Scores:
    """The scores that a verdict means; raises `NoVerdict` for what is none."""
    verdict = VERDICT.match(said)
    if verdict is None:
        raise NoVerdict(f"content_filter.guard_model said {said[:80]!r}, neither safe nor unsafe. Name a guard model.")
    if verdict[1].lower() == "safe":
        return {}
    return {category: 1.0 for hazard in HAZARD.findall(verdict[2]) for category in CATEGORIES.get(hazard, ())}
