"""Honours the request's `moderation`: what a moderation model says of what goes in and of what comes out."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence

from smalt.api.moderating import ModerationBlocked, Moderator, failure, flagged_categories
from smalt.api.responses.plan import Json
from smalt.core.errors import ApiError
from smalt.engines.protocols import ChatDelta, ChatEvent
from smalt.safety.prompts import Prompt, prompts_of
from smalt.safety.transcripts import texts_of
from smalt.schemas.chat import AzureCreateChatCompletionRequest

SPOKEN = {"output_text": "text", "refusal": "refusal"}
"""The field with the text of a message's part, by the part's type."""


class ResponseModeration:
    """Moderates one response. A side whose policy is `block` must be judged; of the other, a failure is told."""

    def __init__(self, moderator: Moderator, asked: Json) -> None:
        self._moderator = moderator
        self._model: str = asked["model"]
        policy: Json = asked.get("policy") or {}
        self._blocked = {side for side, wish in policy.items() if wish and wish["mode"] == "block"}
        self._asked = Prompt(())
        self._input: Json | None = None
        self._output: Json | None = None

    @property
    def blocks_output(self) -> bool:
        """Whether answers are held back until they were judged."""
        return "output" in self._blocked

    async def begin(self, asked: AzureCreateChatCompletionRequest) -> None:
        """Take what the model is asked first; raise `ModerationBlocked` to refuse it."""
        (self._asked,) = prompts_of(asked)
        if "input" in self._blocked:
            self._input = await self._judged_input()
            if flagged_categories(self._input):
                raise ModerationBlocked(self._input, param="input")

    async def held(self, events: AsyncIterator[ChatEvent]) -> AsyncGenerator[ChatEvent]:
        """The events of one answer, once it is known that nothing in it is flagged; else its end without its words."""
        held = [event async for event in events]
        deltas = [event for event in held if isinstance(event, ChatDelta) and event.choice == 0]
        said = "".join(text for delta in deltas for _, text in texts_of(delta))
        found = await self._judged([said] if said else [])
        if flagged_categories(found):
            self._output = found
            held = [event for event in held if not isinstance(event, ChatDelta)]
            held.insert(0, ChatDelta(finish_reason="content_filter"))
        for event in held:
            yield event

    async def outcome(self, items: Sequence[Json]) -> Json:
        """The field `moderation` of a response with this output."""
        try:
            before = self._input or await self._judged_input()
        except ApiError as error:
            before = failure(error)
        return {
            "input": before,
            "output": self._output or await self._moderator.result(self._model, list(_spoken_texts(items))),
        }

    async def _judged_input(self) -> Json:
        return await self._judged([said.text for said in self._asked.texts], self._asked.images)

    async def _judged(self, texts: Sequence[str], images: Sequence[bytes] = ()) -> Json:
        return (await self._moderator.judge_together(self._model, texts, images)).body()


def _spoken_texts(items: Sequence[Json]) -> Iterator[str]:
    for item in items:
        if item["type"] == "message":
            yield from (part[SPOKEN[part["type"]]] for part in item["content"])
        elif item["type"] == "function_call":
            yield item["arguments"]
