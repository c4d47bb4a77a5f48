"""Plans of requests that name nothing stored, for tests of what a model is asked."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from smalt.api.responses.beginnings import beginning
from smalt.api.responses.input_items import input_items
from smalt.api.responses.plan import Plan, TurnOptions
from smalt.schemas.responses import AzureCreateResponse
from smalt.tools.protocols import HostedTool, Output, ToolCall, ToolFunction

FIRST = TurnOptions(is_first=True, offers_tools=True, max_output_tokens=None)
LATER = TurnOptions(is_first=False, offers_tools=True, max_output_tokens=None)
ANYTHING = {"type": "object", "properties": {}}


@dataclass
class OfferedTool:
    """A hosted tool that offers functions, and is never called."""

    names: Sequence[str]
    server_label: str | None = None
    closed: list[bool] = field(default_factory=list[bool])

    async def prepare(self, output: Output, items: Sequence[dict[str, Any]]) -> None:
        """Nothing to prepare."""

    def functions(self) -> Sequence[ToolFunction]:
        return [ToolFunction(name, f"It does {name}.", ANYTHING) for name in self.names]

    def begin(self, function: str, output: Output) -> ToolCall:
        raise NotImplementedError

    async def close(self) -> None:
        self.closed.append(True)


def items_of(*sent: Any) -> list[dict[str, Any]]:
    """The items of an input."""
    numbers = count(1)
    body = AzureCreateResponse.model_validate({"model": "m", "input": list(sent)})
    return input_items(body.model_dump(exclude_unset=True)["input"], lambda prefix: f"{prefix}{next(numbers)}")


def plan_of(
    sent: Any = "Hi", *, context: Sequence[dict[str, Any]] = (), hosted: Sequence[HostedTool] = (), **fields: Any
) -> Plan:
    """The plan of a request; `hosted` stand for those of `tools` that are no functions, in their order."""
    body = AzureCreateResponse.model_validate({"model": "m", "input": sent, **fields})
    asked = body.model_dump(exclude_unset=True)
    begun = beginning(
        asked,
        response_id="resp_1",
        model="m",
        instructions=asked.get("instructions"),
        conversation_id=None,
        is_azure=False,
    )
    return Plan(
        id="resp_1",
        project="p",
        request=body,
        response=begun,
        input=items_of(*(sent if isinstance(sent, list) else [{"role": "user", "content": sent}])),
        context=context,
        tools=hosted,
        client_functions={one["name"]: one for one in fields.get("tools", ()) if one["type"] == "function"},
        is_stored=True,
        is_background=False,
    )
