"""Counts what one generation uses, to the end or to where its client left."""

from typing import Any

from smalt.engines.protocols import ChatEvent, CompletionEvent, Serving, Usage
from smalt.http.call import Call
from smalt.schemas.chat import AzureCreateChatCompletionRequest
from smalt.schemas.completions import CreateCompletionRequest

Asked = AzureCreateChatCompletionRequest | CreateCompletionRequest
BYTES_PER_TOKEN = 4


def usage_json(usage: Usage) -> dict[str, Any]:
    """The usage object of chat and text completions."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": 0,
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

    def see(self, event: ChatEvent | CompletionEvent) -> None:
        """Take note of one event."""
        if isinstance(event, Usage):
            self.usage = event
        elif isinstance(event, Serving):
            self.model = event.model
        else:
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
        """Report the tokens of the request."""
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
