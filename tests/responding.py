"""Runs of responses over an engine that says what a test tells it to, turn by turn, and a tool that looks things up."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from smalt.api.generation import Generation
from smalt.api.moderating import Moderator
from smalt.api.responses.beginnings import beginning
from smalt.api.responses.input_items import input_items
from smalt.api.responses.moderation import ResponseModeration
from smalt.api.responses.plan import Plan
from smalt.api.responses.run import Run
from smalt.core.ids import item_id, response_id
from smalt.core.settings import ResponseSettings
from smalt.engines.protocols import ChatDelta, ChatEvent, Deployment, ToolCallDelta, Usage
from smalt.models import Models
from smalt.safety.content_filter import ContentFilter
from smalt.schemas.chat import AzureCreateChatCompletionRequest
from smalt.schemas.responses import AzureCreateResponse
from smalt.tools.protocols import HostedTool, Json, Outcome, Output, OutputItem, Source, ToolFunction
from unfiltered import NoContentFilter

STOP = ChatDelta(finish_reason="stop")
CALLED = ChatDelta(finish_reason="tool_calls")
Turn = Sequence[ChatEvent | Exception]


@dataclass
class Engine:
    """Says the turns in their order, then the last again and again; what it was asked is kept."""

    turns: Sequence[Turn]
    asked: list[AzureCreateChatCompletionRequest] = field(default_factory=list)

    @asynccontextmanager
    async def lease(self, name: str, ability: type) -> AsyncGenerator["Engine"]:
        """Lend itself, whatever the name."""
        del name, ability
        yield self

    def find(self, name: str) -> Deployment:
        """The deployment that it is, whatever the name."""
        return Deployment(name, "echo", name, frozenset({"chat_completion"}))

    async def chat(self, body: AzureCreateChatCompletionRequest) -> AsyncGenerator[ChatEvent]:
        """Say the next turn."""
        turn = self.turns[min(len(self.asked), len(self.turns) - 1)]
        self.asked.append(body)
        for event in turn:
            if isinstance(event, Exception):
                raise event
            yield event


@dataclass
class LookTool:
    """A hosted tool with the function `look`; its items are those of file searches."""

    act: Callable[[str], Outcome] = lambda arguments: Outcome(f"seen: {arguments}")
    looked: list[str] = field(default_factory=list)
    is_closed: bool = False

    async def prepare(self, output: Output, items: Sequence[Json]) -> None:
        """Nothing comes before the first turn."""

    def functions(self) -> Sequence[ToolFunction]:
        """The one function."""
        return [ToolFunction("look", "Look something up.", {"type": "object", "properties": {}})]

    def begin(self, function: str, output: Output) -> "LookCall":
        """A call has begun."""
        assert function == "look"
        beginning: Json = {"type": "file_search_call", "status": "in_progress", "queries": [], "results": None}
        return LookCall(self, output.begin("fs_", beginning))

    async def close(self) -> None:
        """It is over."""
        self.is_closed = True


@dataclass
class LookCall:
    """One call of the tool."""

    tool: LookTool
    item: OutputItem
    arguments: str = ""

    def add(self, arguments: str) -> None:
        """More of the arguments."""
        self.arguments += arguments

    async def run(self) -> Outcome:
        """Tell what is seen."""
        self.tool.looked.append(self.arguments)
        self.item.emit("response.file_search_call.searching")
        return self.tool.act(self.arguments)


def said(text: str, *, usage: Usage | None = None) -> list[ChatEvent]:
    """A turn in words, a word a piece."""
    words = [ChatDelta(content=word) for word in text.replace(" ", "\x00 ").split("\x00")]
    return [*words, STOP, usage or Usage(10, len(words))]


def called(*calls: tuple[str, str]) -> list[ChatEvent]:
    """A turn of calls: names and arguments."""
    deltas: list[ChatEvent] = []
    for index, (name, arguments) in enumerate(calls):
        deltas += [
            ChatDelta(tool_calls=(ToolCallDelta(index, id=f"call_{index}", name=name),)),
            ChatDelta(tool_calls=(ToolCallDelta(index, arguments),)),
        ]
    return [*deltas, CALLED, Usage(10, 5)]


def source(text: str, mark: str = "[doc1]") -> Source:
    """A file that may be cited."""
    return Source({"type": "file_citation", "file_id": "file-1", "filename": "facts.txt"}, text, mark)


def planned(
    tools: Sequence[HostedTool] = (),
    functions: Sequence[str] = (),
    *,
    is_azure: bool = False,
    moderator: Moderator | None = None,
    **body: Any,
) -> Plan:
    """The plan of a request; the client has `functions`, `tools` run here."""
    offered: list[Json] = [
        {"type": "function", "name": name, "parameters": {"type": "object"}, "strict": False} for name in functions
    ]
    asked = {"model": "told", "input": "Hello there", **body, **({"tools": offered} if offered else {})}
    new_id = response_id()
    return Plan(
        id=new_id,
        project="default",
        request=AzureCreateResponse.model_validate(asked),
        response=beginning(
            asked, response_id=new_id, model="told", instructions=None, conversation_id=None, is_azure=is_azure
        ),
        input=input_items(asked["input"], lambda prefix: item_id(prefix, new_id)),
        context=[],
        tools=tools,
        client_functions={tool["name"]: tool for tool in offered},
        is_stored=asked.get("store") is not False,
        is_background=bool(asked.get("background")),
        is_azure=is_azure,
        moderation=ResponseModeration(moderator, asked["moderation"]) if moderator else None,
    )


@dataclass
class Story:
    """A run that is over: its events, its object, what was spent, and what the engine was asked."""

    events: list[Json]
    response: Json
    spent: list[tuple[str, Usage]]
    engine: Engine

    @property
    def types(self) -> list[str]:
        """The types of the events, without the `response.` in front."""
        return [event["type"].removeprefix("response.") for event in self.events]

    @property
    def text(self) -> str:
        """What the messages say."""
        messages = [item for item in self.response["output"] if item["type"] == "message"]
        return "".join(part.get("text", "") for item in messages for part in item["content"])


async def told(
    plan: Plan,
    *turns: Turn,
    before: Sequence[Json] = (),
    most_turns: int = 16,
    content_filter: ContentFilter | None = None,
) -> Story:
    """Run a response over an engine that says these turns; raises what the run raises."""
    engine = Engine(turns)
    generation = Generation(cast("Models", engine), content_filter or NoContentFilter())
    events: list[Json] = []
    spent: list[tuple[str, Usage]] = []
    run = Run(
        plan,
        generation,
        events.append,
        lambda model, usage: spent.append((model, usage)),
        ResponseSettings(turns=most_turns),
        before=before,
    )
    response = await run.run()
    return Story(events, response, spent, engine)
