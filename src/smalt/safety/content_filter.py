"""The place where prompts and answers are looked at before anyone sees them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from smalt.core.errors import InvalidRequest
from smalt.engines.protocols import ChatEvent, CompletionEvent, Deployment, PromptJudged
from smalt.schemas.chat import AzureCreateChatCompletionRequest
from smalt.schemas.completions import CreateCompletionRequest

Asked = AzureCreateChatCompletionRequest | CreateCompletionRequest
Event = TypeVar("Event", ChatEvent, CompletionEvent)


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

        The last delta of every stretch that was looked at has `judged`. A choice is ended by a delta with the finish
        reason `content_filter`; what the engine still says of that choice is dropped. `events` is read to its end, so
        that its usage is passed on.
        """
        ...


class ContentFilter(Protocol):
    """Judges prompts and watches answers; one serves every request of a process."""

    def checks(self, deployment: Deployment, *, is_azure: bool) -> Checks | None:
        """What a request to a deployment is looked at for; None when nothing is."""
        ...


class NoContentFilter:
    """Lets everything pass, at no cost."""

    def checks(self, deployment: Deployment, *, is_azure: bool) -> Checks | None:
        """Nothing is looked at."""
        del deployment, is_azure
