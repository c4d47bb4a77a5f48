"""Says what an engine refused in the names of this API: engines know chat requests only."""

import re

from smalt.api.responses.plan import Plan
from smalt.core.errors import ApiError
from smalt.schemas.chat import AzureCreateChatCompletionRequest, ChatCompletionTool

NAMES: tuple[tuple[str, str], ...] = (
    ("messages", "input"),
    ("reasoning_effort", "reasoning.effort"),
    ("max_completion_tokens", "max_output_tokens"),
    ("max_tokens", "max_output_tokens"),
    ("verbosity", "text.verbosity"),
    ("response_format.json_schema.schema", "text.format.schema"),
    ("response_format.json_schema", "text.format"),
    ("response_format", "text.format"),
    ("logprobs", "top_logprobs"),
)
TOOL = re.compile(r"tools(?:\[(\d+)\]|\.([\w-]+))(?:\.function)?(.*)")


def renamed(
    error: ApiError, plan: Plan | None = None, asked: AzureCreateChatCompletionRequest | None = None
) -> ApiError:
    """The error about the field of this API that it came from.

    With the plan and the chat request that met the error, a function of the client is told by its own place.
    """
    if error.param is None:
        return error
    match = TOOL.fullmatch(error.param)
    param = _tool_param(match, plan, asked) if match else _plain_param(error.param)
    error.message = error.message.replace(f"'{error.param}'", f"'{param}'")
    error.param = param
    return error


def _plain_param(param: str) -> str:
    for old, new in NAMES:
        if param == old or param.startswith((f"{old}.", f"{old}[")):
            # Items and messages do not correspond one to one, so that a position would mislead.
            return new if new == "input" else new + param[len(old) :]
    return param


def _tool_param(match: re.Match[str], plan: Plan | None, asked: AzureCreateChatCompletionRequest | None) -> str:
    name: str | None = match[2] or _name(asked, int(match[1]))
    for position, tool in enumerate((plan and plan.request.tools) or ()):
        if tool.type == "function" and tool.name == name:
            return f"tools[{position}]{match[3]}"
    # A hosted tool's functions are not the client's own words.
    return "tools"


def _name(asked: AzureCreateChatCompletionRequest | None, position: int) -> str | None:
    tools = (asked and asked.tools) or []
    tool = tools[position] if position < len(tools) else None
    return tool.function.name if isinstance(tool, ChatCompletionTool) else None
