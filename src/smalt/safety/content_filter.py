"""The place where prompts and answers are looked at before anyone sees them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeVar

from smalt.core.errors import InvalidRequest
from smalt.engines.protocols import ChatEvent, CompletionEvent, Deployment, PromptJudged
from smalt.schemas.chat import AzureCreateChatCompletionRequest
from smalt.schemas.completions import CreateCompletionRequest

Asked = AzureCreateChatCompletionRequest | CreateCompletionRequest
Event = TypeVar("Event", ChatEvent, CompletionEvent)

Delivery = Literal["streamed", "spoken", "whole"]
"""How an answer leaves: piece by piece as it comes; at its end, though it is spoken as it comes; or at its end."""


class PromptFiltered(InvalidRequest):
    """The content filter refuses the prompt (400); `results` are those of the prompt that was refused."""

    default_code = "content_filter"

    def __init__(self, results: Mapping[str, Any]) -> None:
        super().__init__(
            "The response was filtered due to the prompt triggering the content management policy of this server. "
            "Please modify your prompt and retry.",
            param="prompt",
        )
        self.results = results


class Checks(Protocol):
    """What one request is looked at for."""

    async def judge(self, asked: Asked, documents: Sequence[str] = ()) -> PromptJudged | None:
        """Look at a request before anything is generated; raise `PromptFiltered` to refuse it.

        `documents` are what will be shown to the model beside the conversation; answers must rest on them. Nothing is
        returned where results are not told.
        """
        ...

    def watch(self, events: AsyncIterator[Event]) -> AsyncIterator[Event]:
        """Pass an answer's events on, held back for as long as judging takes.

        The last delta of every stretch that was looked at has `judged`, whether clients are told or not. A choice is
        ended by a delta with the finish reason `content_filter`; what the engine still says of that choice is dropped.
        When every choice is over, `events` is not read any further: its usage is missing then. Of what has left before
        it was looked at, a `LateJudgement` says what was found.
        """
        ...

    async def look(self, texts: Sequence[str]) -> Mapping[str, Any]:
        """What is found in texts that a model has written to leave beside its answer."""
        ...


class ContentFilter(Protocol):
    """Judges prompts and watches answers; one serves every request of a process."""

    def checks(self, deployment: Deployment, *, is_azure: bool, delivery: Delivery = "whole") -> Checks | None:
        """What a request to a deployment is looked at for; None when nothing is."""
        ...
