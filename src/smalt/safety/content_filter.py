"""The place where prompts and answers are looked at before anyone sees them."""

from collections.abc import AsyncIterator
from typing import Protocol, TypeVar

from smalt.core.errors import InvalidRequest
from smalt.engines.protocols import ChatEvent, CompletionEvent
from smalt.schemas.chat import AzureCreateChatCompletionRequest
from smalt.schemas.completions import CreateCompletionRequest

Event = TypeVar("Event", ChatEvent, CompletionEvent)


class PromptFiltered(InvalidRequest):
    """The content filter refuses the prompt (400)."""

    default_code = "content_filter"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The prompt was refused under the content management policy of this server: {reason}. "
            "Change the prompt and send it again.",
            param="prompt",
        )


class ContentFilter(Protocol):
    """Judges prompts and watches answers; one serves every request of a process."""

    async def check_prompt(self, body: AzureCreateChatCompletionRequest | CreateCompletionRequest) -> None:
        """Look at a request before anything is generated; raise `PromptFiltered` to refuse it."""
        ...

    def watch(self, events: AsyncIterator[Event]) -> AsyncIterator[Event]:
        """Pass an answer's events on, held back for as long as judging takes.

        A choice is ended by a delta with the finish reason `content_filter`; what the engine still says of that choice
        is dropped by the caller. `events` must still be read to its end, so that its usage is passed on.
        """
        ...


class NoContentFilter:
    """Lets everything pass, at no cost."""

    async def check_prompt(self, body: AzureCreateChatCompletionRequest | CreateCompletionRequest) -> None:
        """Accept the request."""

    def watch(self, events: AsyncIterator[Event]) -> AsyncIterator[Event]:
        """Return the events themselves."""
        return events
