"""Calls that the client acts on: a computer's mouse and keyboard, and commands in the client's own shell."""

from collections.abc import Callable, Sequence
from typing import Any, cast

from smalt.core.ids import tool_call_id
from smalt.tools.arguments import read_arguments, words_of
from smalt.tools.computer import computer_action, computer_function
from smalt.tools.protocols import Json, Outcome, Output, OutputItem, ToolFunction

LONGEST_TIMEOUT_MS = 24 * 3600 * 1000
SHELL = ToolFunction(
    "local_shell",
    "Run a command on the user's machine. The command is a list: the program and its arguments.",
    {
        "type": "object",
        "properties": {
            "command": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 64},
            "working_directory": {"type": "string", "description": "The folder to run it in."},
            "timeout_ms": {"type": "integer", "minimum": 1, "description": "Milliseconds it may take."},
        },
        "required": ["command"],
        "additionalProperties": False,
    },
)


class ClientTool:
    """The tool `computer_use_preview` or `local_shell` of one request: its calls are items, and end the run."""

    def __init__(self, tool: Json) -> None:
        self._tool = tool
        self._is_shell = tool["type"] == "local_shell"
        self._function = SHELL if self._is_shell else computer_function(tool)

    async def prepare(self, output: Output, items: Sequence[Json]) -> None:
        """Nothing comes before the first turn."""
        del output, items

    def functions(self) -> Sequence[ToolFunction]:
        """The one function."""
        return [self._function]

    def begin(self, function: str, output: Output) -> "ClientCall":
        """Begin a call; its item begins when the action is known."""
        del function
        return ClientCall(self._make, output)

    async def close(self) -> None:
        """Nothing to let go of."""

    def _make(self, arguments: Json) -> tuple[str, Json]:
        """The item of a call, and how its id begins."""
        if self._is_shell:
            item = {"type": "local_shell_call", "status": "in_progress", "call_id": tool_call_id()}
            return "lsh_", {**item, "action": shell_action(arguments)}
        item = {"type": "computer_call", "status": "in_progress", "call_id": tool_call_id()}
        return "cu_", {**item, "action": computer_action(arguments, self._tool), "pending_safety_checks": []}


class ClientCall:
    """One call."""

    def __init__(self, make: Callable[[Json], tuple[str, Json]], output: Output) -> None:
        self.item: OutputItem | None = None
        self._make = make
        self._output = output
        self._arguments = ""

    def add(self, arguments: str) -> None:
        """Take more of the arguments."""
        self._arguments += arguments

    async def run(self) -> Outcome:
        """Put the item out; what comes of it is the client's next input."""
        prefix, item = self._make(read_arguments(self._arguments))
        self.item = self._output.begin(prefix, item)
        return Outcome("", {"status": "completed"}, ends_run=True)


def shell_action(arguments: Json) -> Json:
    """The command to run; a model that wrote none gets one that does nothing."""
    action: Json = {"type": "exec", "command": _command(arguments.get("command")), "env": {}}
    if folder := words_of(arguments.get("working_directory")):
        action["working_directory"] = folder
    timeout = arguments.get("timeout_ms")
    if isinstance(timeout, int | float) and 1 <= timeout <= LONGEST_TIMEOUT_MS:
        action["timeout_ms"] = int(timeout)
    return action


def _command(written: Any) -> list[str]:
    if isinstance(written, list):
        words = [str(word) for word in cast("list[Any]", written) if isinstance(word, str | int | float)]
        return words or ["true"]
    line = words_of(written)
    return ["bash", "-lc", line] if line else ["true"]
