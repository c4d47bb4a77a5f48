"""Makes a conversation of an edit, and an edit of what is said in it."""

from contextlib import aclosing
from typing import Any

from smalt.api.accounting import Tally
from smalt.api.generation import RAI_INVOKED, Generation
from smalt.core.clock import now
from smalt.core.errors import EngineFailed
from smalt.engines.protocols import ChatDelta, ChatEngine, ChatEvent, LateJudgement, PromptJudged
from smalt.http.call import Call
from smalt.schemas.chat import AzureCreateChatCompletionRequest
from smalt.schemas.edits import CreateEditRequest

EDITOR = "You edit texts. Carry out the instruction on the text, and answer with the edited text and nothing else."
EXAMPLE = ("Correct the grammar.\n\nhe go to school yesterday", "He went to school yesterday.")
"""Shown to the model before the real edit: small ones talk about the text unless they have seen one done."""
KEPT = ("model", "n", "temperature", "top_p")
COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")


async def edited(body: CreateEditRequest, call: Call, generation: Generation) -> dict[str, Any]:
    """Let a chat engine edit; what it costs is reported even when it fails."""
    asked = conversation(body)
    edit = Edit(generation.models.find(body.model).model)
    told = generation.events(
        asked, ChatEngine, lambda engine: engine.chat(asked), delivery="whole", is_azure=call.is_azure
    )
    try:
        async with aclosing(told) as events:
            async for event in events:
                if isinstance(event, PromptJudged):
                    call.response_headers.append(RAI_INVOKED)
                edit.add(event)
    finally:
        edit.tally.spend(call, asked)
    return edit.answer()


def conversation(body: CreateEditRequest) -> AzureCreateChatCompletionRequest:
    """The chat request that an edit is; without a text the instruction alone says what to write."""
    messages = [{"role": "user", "content": body.instruction}]
    if body.input:
        asked, done = EXAMPLE
        messages = [
            {"role": "system", "content": EDITOR},
            {"role": "user", "content": asked},
            {"role": "assistant", "content": done},
            {"role": "user", "content": f"{body.instruction}\n\n{body.input}"},
        ]
    kept = {name: value for name in KEPT if (value := getattr(body, name)) is not None}
    return AzureCreateChatCompletionRequest.model_validate({**kept, "messages": messages})


class Edit:
    """Takes in what a chat engine says; `answer` is what it comes to."""

    def __init__(self, model: str) -> None:
        self.tally = Tally(model)
        self._created = now()
        self._texts: dict[int, list[str]] = {}
        self._finished: dict[int, str] = {}

    def add(self, event: ChatEvent) -> None:
        """Take in one event; what comes after the end of a choice does not count."""
        self.tally.see(event)
        if not isinstance(event, (ChatDelta, LateJudgement)) or event.choice in self._finished:
            return
        texts = self._texts.setdefault(event.choice, [])
        if isinstance(event, ChatDelta) and event.content:
            texts.append(event.content)
        if event.finish_reason is not None:
            self._finished[event.choice] = event.finish_reason

    def answer(self) -> dict[str, Any]:
        """The whole edit; an engine that left a choice open, or did not count, has failed."""
        usage = self.tally.usage_json()
        if not self._texts or self._texts.keys() - self._finished.keys() or usage is None:
            raise EngineFailed("The engine ended its answer without a finish reason.")
        return {
            "object": "edit",
            "created": self._created,
            "choices": [self._choice(index) for index in sorted(self._texts)],
            "usage": {name: usage[name] for name in COUNTS},
        }

    def _choice(self, index: int) -> dict[str, Any]:
        reason = self._finished[index]
        text = "" if reason == "content_filter" else "".join(self._texts[index])
        return {"text": text, "index": index, "finish_reason": reason}
