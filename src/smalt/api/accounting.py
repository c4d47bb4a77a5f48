"""Counts what one generation uses, to the end or to where its client left."""

from typing import Any

from smalt.engines.protocols import ChatDelta, ChatEvent, CompletionDelta, CompletionEvent, Serving, Usage
from smalt.http.call import Call
from smalt.schemas.chat import AzureCreateChatCompletionRequest
from smalt.schemas.completions import CreateCompletionRequest

Asked = AzureCreateChatCompletionRequest | CreateCompletionRequest
BYTES_PER_TOKEN = 4


def usage_json(usage: Usage, *, heard_tokens: int = 0, spoken_tokens: int = 0) -> dict[str, Any]:
    """The usage object of chat and text completions; the tokens of sound come on top of the text's."""
    prompt_tokens, completion_tokens = usage.prompt_tokens + heard_tokens, usage.completion_tokens + spoken_tokens
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens, "audio_tokens": heard_tokens},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": spoken_tokens,
            "accepted_prediction_tokens": usage.accepted_prediction_tokens,
            "rejected_prediction_tokens": usage.rejected_prediction_tokens,
        },
    }


class Tally:
    """What has been seen of one answer: who answered, how many pieces, and the engine's own count at the end."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.pieces = 0
        self.usage: Usage | None = None
        self.heard_tokens = 0
        self.spoken_tokens = 0

    def usage_json(self) -> dict[str, Any] | None:
        """The usage object, once the engine has told its count."""
        if self.usage is None:
            return None
        return usage_json(self.usage, heard_tokens=self.heard_tokens, spoken_tokens=self.spoken_tokens)

    def see(self, event: ChatEvent | CompletionEvent) -> None:
        """Take note of one event."""
        if isinstance(event, Usage):
            self.usage = event
        elif isinstance(event, Serving):
            self.model = event.model
        elif isinstance(event, (ChatDelta, CompletionDelta)):
            self.pieces += 1

    def used(self, body: Asked) -> Usage | None:
        """The tokens of the request; None when nothing was answered.

        An engine counts at the very end. When the client left before, a piece counts as a token and four bytes of the
        prompt as another: close enough for limits, and better than nothing.
        """
        if self.usage is None and self.pieces:
            return Usage(prompt_tokens=_estimate(body), completion_tokens=self.pieces)
        return self.usage

    def spend(self, call: Call, body: Asked) -> None:
        """Report the tokens of the request; what its sound took is reported by those who hear and speak."""
        used = self.used(body)
        if used is None:
            return
        security_context = getattr(body, "user_security_context", None)
        call.spend(
            self.model,
            prompt_tokens=used.prompt_tokens,
            completion_tokens=used.completion_tokens,
            cached_tokens=used.cached_tokens,
            reasoning_tokens=used.reasoning_tokens,
            user=body.user,
            user_security_context=security_context and security_context.model_dump(exclude_unset=True),
        )


def _estimate(body: Asked) -> int:
    fields = {"messages", "tools", "prompt"}
    return -(-len(body.model_dump_json(include=fields, exclude_unset=True)) // BYTES_PER_TOKEN)
