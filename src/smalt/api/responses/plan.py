"""A request for a response, understood: what is run, whether now or in a job."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from smalt.schemas.responses import AzureCreateResponse
from smalt.tools.protocols import HostedTool

if TYPE_CHECKING:
    from smalt.api.responses.moderation import ResponseModeration

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a run needs.

    `response` is the object as it begins (all fields, output empty), `input` the request's items with their ids,
    `context` the items before them: of a conversation, of previous responses, of a prompt template.
    """

    id: str
    project: str
    request: AzureCreateResponse
    response: Json
    input: Sequence[Json]
    context: Sequence[Json]
    tools: Sequence[HostedTool]
    client_functions: Mapping[str, Json]
    """The request's function tools by name."""
    is_stored: bool
    is_background: bool
    conversation_id: str | None = None
    is_azure: bool = False
    """Whether it was asked for on one of Azure's mounts."""
    moderation: "ResponseModeration | None" = None
    """What the request wants to have moderated."""

    @property
    def include(self) -> frozenset[str]:
        """What the client wants to see beside the usual."""
        return frozenset(self.request.include or ())


@dataclass(frozen=True, slots=True)
class TurnOptions:
    """What differs from turn to turn."""

    is_first: bool
    offers_tools: bool
    max_output_tokens: int | None
    """What is left of the request's `max_output_tokens`."""
