"""One turn of a model in a response: what it says becomes output items, what it calls is run here."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from smalt.api.accounting import Tally
from smalt.api.responses.speech import FunctionCall, Message, Status, SummarisedThought, Summary, Thought
from smalt.api.responses.toolset import Offered
from smalt.api.responses.writer import ResponseWriter
from smalt.core.errors import ApiError, EngineFailed
from smalt.engines.protocols import ChatDelta, ChatEvent, FinishReason, LateJudgement, PromptJudged, ToolCallDelta
from smalt.tools.protocols import TOLD, Outcome, Source, ToolCall

logger = logging.getLogger("smalt.responses")


@dataclass(slots=True)
class HostedCall:
    """A call of a tool that runs here, and its arguments as the model wrote them."""

    name: str
    call: ToolCall
    arguments: list[str] = field(default_factory=list[str])

    def add(self, arguments: str) -> None:
        """Take the next piece of the arguments."""
        self.arguments.append(arguments)
        self.call.add(arguments)

    def end(self, outcome: Outcome) -> None:
        """End the call's item with what came of it, and with what the model is told."""
        item = self.call.item
        if item is not None:
            told = {"name": self.name, "arguments": "".join(self.arguments), "output": outcome.text}
            item.end(**outcome.item, **{TOLD: told})


class IgnoredCall:
    """A call more than `max_tool_calls` allows; nothing comes of it."""

    def add(self, arguments: str) -> None:
        """Take the next piece of the arguments."""


@dataclass(slots=True)
class TurnStyle:
    """What turns of one response have in common."""

    offered: Mapping[str, Offered]
    """What the model may call."""
    summary: Summary | None
    calls_left: int | None
    """How many more calls run here; none is the limit when absent."""
    sources: list[Source] = field(default_factory=list[Source])
    """What messages may rest on so far."""


class Turn:
    """Takes the events of one answer of the model."""

    def __init__(self, writer: ResponseWriter, style: TurnStyle, model: str) -> None:
        self._writer = writer
        self._style = style
        self._message: Message | None = None
        self._thought: Thought | SummarisedThought | None = None
        self._calls: dict[int, FunctionCall | HostedCall | IgnoredCall] = {}
        self.tally = Tally(model)
        self.finish_reason: FinishReason | None = None

    @property
    def has_client_calls(self) -> bool:
        """Whether the client must act before the model goes on."""
        return any(isinstance(call, FunctionCall) for call in self._calls.values())

    @property
    def has_calls(self) -> bool:
        """Whether the model called anything."""
        return bool(self._calls)

    @property
    def hosted_calls(self) -> list[HostedCall]:
        """The calls that run here."""
        return [call for call in self._calls.values() if isinstance(call, HostedCall)]

    @property
    def documents(self) -> list[str]:
        """What tools have found for the model to rest on."""
        return [source.text for source in self._style.sources if source.text]

    def see(self, event: ChatEvent) -> None:
        """Take one event; what belongs to other answers than the first, or comes after its end, is dropped."""
        if isinstance(event, PromptJudged):
            return
        if isinstance(event, LateJudgement):
            self._judge(event)
            return
        self.tally.see(event)
        if isinstance(event, ChatDelta) and event.choice == 0 and self.finish_reason is None:
            self._take(event)

    def end(self) -> None:
        """End what the model said; raise `EngineFailed` when it stopped without a reason."""
        if self.finish_reason is None:
            raise EngineFailed("The engine ended its answer without a finish reason.")
        status: Status = "incomplete" if self.finish_reason in {"length", "content_filter"} else "completed"
        self._end_thought()
        self._end_message(status)
        for call in self._calls.values():
            if isinstance(call, FunctionCall):
                call.end(status)

    def _judge(self, judgement: LateJudgement) -> None:
        """End with the reason of a filter that looks at what has left already, whatever the model said last."""
        if judgement.choice == 0 and judgement.finish_reason is not None:
            self.finish_reason = judgement.finish_reason

    def _take(self, delta: ChatDelta) -> None:
        if delta.reasoning_content:
            self._think(delta.reasoning_content)
        if delta.content or (delta.logprobs and delta.refusal is None):
            self._open_message().say(delta.content or "", delta.logprobs)
        if delta.refusal:
            self._open_message().refuse(delta.refusal)
        for call in delta.tool_calls:
            self._call(call)
        self.finish_reason = delta.finish_reason

    def _think(self, text: str) -> None:
        if self._thought is None:
            self._end_message("completed")
            summary = self._style.summary
            self._thought = SummarisedThought(self._writer, summary) if summary else Thought(self._writer)
        self._thought.think(text)

    def _open_message(self) -> Message:
        self._end_thought()
        if self._message is None:
            self._message = Message(self._writer, self._style.sources)
        return self._message

    def _end_thought(self) -> None:
        if self._thought is not None:
            self._thought.end()
        self._thought = None

    def _end_message(self, status: Status) -> None:
        if self._message is not None:
            self._message.end(status)
            # A file is given out once, not behind every message from then on.
            self._style.sources[:] = [one for one in self._style.sources if not _is_file_of_container(one)]
        self._message = None

    def _call(self, delta: ToolCallDelta) -> None:
        call = self._calls.get(delta.index)
        if call is None:
            if delta.name is None:
                raise EngineFailed("The engine began a tool call without the name of a tool.")
            self._end_thought()
            self._end_message("completed")
            call = self._calls[delta.index] = self._begun(delta.name, delta)
        call.add(delta.arguments)

    def _begun(self, name: str, delta: ToolCallDelta) -> FunctionCall | HostedCall | IgnoredCall:
        offered = self._style.offered.get(name)
        if offered is None or offered.tool is None:
            return FunctionCall(self._writer, delta)
        if self._style.calls_left is not None:
            if self._style.calls_left <= 0:
                return IgnoredCall()
            self._style.calls_left -= 1
        return HostedCall(name, offered.tool.begin(offered.function.name, self._writer))


async def run_calls(calls: Sequence[HostedCall], *, at_once: bool) -> list[Outcome]:
    """Run the calls of a turn and end their items; several at once, if that is allowed."""
    if at_once:
        return list(await asyncio.gather(*map(_run, calls)))
    return [await _run(call) for call in calls]


async def _run(call: HostedCall) -> Outcome:
    try:
        outcome = await call.call.run()
    except ApiError as error:
        outcome = Outcome(f"The tool failed: {error.message}", {"status": "failed"})
    except Exception:
        # Whatever is wrong with a tool, the model can still answer.
        logger.exception("tool failed", extra={"tool": call.name})
        outcome = Outcome("The tool failed. Go on without it.", {"status": "failed"})
    call.end(outcome)
    return outcome


def _is_file_of_container(source: Source) -> bool:
    return source.annotation.get("type") == "container_file_citation"
