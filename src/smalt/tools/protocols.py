"""What a hosted tool is to the run of a response that calls it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Json = dict[str, Any]

TOLD = "_told"
"""The key of a stored hosted call under which it keeps what the model read: `{name, arguments, output}`.

Keys that begin with an underscore are kept with an item and never shown.
"""


@dataclass(frozen=True, slots=True)
class ToolFunction:
    """A function as the model is told of it; `parameters` is a JSON Schema of an object."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """Something that the model's next words may rest on.

    `annotation` is the annotation without its place in the text (`{"type": "file_citation", "file_id": …}`), `text`
    what the source says, `mark` what the model was asked to write behind what it took from here (`[1]`), if anything.
    """

    annotation: Json
    text: str = ""
    mark: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended: what the model reads, the fields of the finished item, and what may be cited.

    A tool that fails says so in `text`, for the model to go on, and in `item`, for the client.
    """

    text: str
    item: Json = field(default_factory=dict[str, Any])
    sources: Sequence[Source] = ()
    ends_run: bool = False
    """The client must act before the model goes on."""


class OutputItem(Protocol):
    """One output item while it is made; its events get its id, its place and their number."""

    @property
    def id(self) -> str:
        """The item's id."""
        ...

    def emit(self, type_: str, **fields: Any) -> None:
        """Send an event of this item, such as `response.file_search_call.searching`; the item itself stays as it is."""
        ...

    def end(self, **fields: Any) -> None:
        """Send `response.output_item.done`: the item as it began, with these fields put in."""
        ...


class Output(Protocol):
    """Where a run puts output items."""

    def begin(self, prefix: str, item: Json) -> OutputItem:
        """Add an item (without its id, which begins with `prefix`, such as `fs_`) and send `output_item.added`."""
        ...


class ToolCall(Protocol):
    """One call of a hosted tool, from the moment its name is known."""

    @property
    def item(self) -> OutputItem | None:
        """The call's item, once it has begun; the run ends it, with what the outcome says."""
        ...

    def add(self, arguments: str) -> None:
        """Take the next piece of the arguments, JSON in pieces, as the model writes them."""
        ...

    async def run(self) -> Outcome:
        """Do it; the arguments are whole. What goes wrong with the tool is an outcome, not an exception."""
        ...


class HostedTool(Protocol):
    """A tool of one request; closed when the run is over."""

    async def prepare(self, output: Output, items: Sequence[Json]) -> None:
        """Do what comes before the first turn, such as listing an MCP server's tools.

        `items` is everything the model will read, so that a tool finds what was listed before or approved just now.
        What it puts out (and ends) itself here is read by the model too.
        """
        ...

    def functions(self) -> Sequence[ToolFunction]:
        """What the model may call, after `prepare`."""
        ...

    def begin(self, function: str, output: Output) -> ToolCall:
        """The model has begun to call one of the functions."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
