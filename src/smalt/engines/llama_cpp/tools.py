"""Which tools a request offers, how they are told to the model, and the grammar of their calls."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from smalt.core.errors import InvalidRequest, UnsupportedParameter, UnsupportedValue
from smalt.engines.llama_cpp.schema import closed, grammar, json_rule
from smalt.schemas.chat import (
    AzureCreateChatCompletionRequest,
    ChatCompletionAllowedToolsChoice,
    ChatCompletionNamedToolChoice,
    ChatCompletionNamedToolChoiceCustom,
    ChatCompletionTool,
)

Json = dict[str, Any]

OPENING = "<tool_call>"
CLOSING = "</tool_call>"
NAME = '\n{"name":'
ARGUMENTS = ', "arguments":'
END = f"}}\n{CLOSING}"
BETWEEN = f"\n{OPENING}{NAME}"

ANY_TEXT = "/(?s:.*)/"
UP_TO_CALL = f"/(?s:.*){OPENING}/"

MOST_CALLS = 8
"""Small models call again and again when they may."""

ANY_OBJECT: Json = {"type": "object"}
NO_ARGUMENTS: Json = {"type": "object", "properties": {}, "additionalProperties": False}


@dataclass(frozen=True)
class Tool:
    """A function that the model may call."""

    name: str
    description: str
    parameters: Json
    param: str
    """The path of its schema in the request."""
    is_lenient: bool = False
    """Its arguments need not fit more of the schema than can be held."""

    def described(self) -> Json:
        """It in the words of the API."""
        function = {"name": self.name, "description": self.description, "parameters": self.parameters}
        return {"type": "function", "function": function}


@dataclass(frozen=True)
class ToolPlan:
    """The tools that may be called this time, and whether they must."""

    tools: tuple[Tool, ...]
    mode: Literal["none", "auto", "required", "named"]
    is_parallel: bool

    @property
    def is_forced(self) -> bool:
        """Whether the answer is a call and nothing else."""
        return self.mode in ("required", "named")


def tool_plan(body: AzureCreateChatCompletionRequest) -> ToolPlan:
    """Read what a request says about tools."""
    if body.functions is not None or body.function_call is not None:
        raise UnsupportedParameter("functions", "Offer them as tools.")
    choice = body.tool_choice
    is_auto = choice is None or choice == "auto"
    if isinstance(choice, ChatCompletionAllowedToolsChoice):
        is_auto = choice.allowed_tools.mode == "auto"
    tools = tuple(_tool(position, tool, is_auto=is_auto) for position, tool in enumerate(body.tools or ()))
    # A forced answer has no end of its own: small models call on and on unless several calls are asked for.
    is_parallel = body.parallel_tool_calls is not False if is_auto else body.parallel_tool_calls is True
    if not tools or choice == "none":
        return ToolPlan((), "none", is_parallel)
    if choice is None or isinstance(choice, str):
        return ToolPlan(tools, choice or "auto", is_parallel)
    if isinstance(choice, ChatCompletionAllowedToolsChoice):
        names = {tool.get("function", {}).get("name") for tool in choice.allowed_tools.tools}
        allowed = tuple(tool for tool in tools if tool.name in names)
        return ToolPlan(allowed, choice.allowed_tools.mode if allowed else "none", is_parallel)
    return ToolPlan((_named(tools, choice),), "named", is_parallel=False)


def _named(tools: Sequence[Tool], choice: ChatCompletionNamedToolChoice | ChatCompletionNamedToolChoiceCustom) -> Tool:
    if isinstance(choice, ChatCompletionNamedToolChoiceCustom):
        message = "Unsupported value: 'tool_choice.type' does not support 'custom' with this model."
        raise UnsupportedValue(message, param="tool_choice.type")
    for tool in tools:
        if tool.name == choice.function.name:
            return tool
    offered = ", ".join(tool.name for tool in tools)
    raise InvalidRequest(
        f"Invalid value for 'tool_choice': no function named '{choice.function.name}' was specified in 'tools'. "
        f"Offered are: {offered}.",
        param="tool_choice",
        code="invalid_value",
    )


def _tool(position: int, tool: Any, *, is_auto: bool) -> Tool:
    if not isinstance(tool, ChatCompletionTool):
        raise UnsupportedValue(
            f"Unsupported value: 'tools[{position}].type' does not support 'custom' with this model. "
            "Offer the tool as a function.",
            param=f"tools[{position}].type",
        )
    function = tool.function
    parameters = NO_ARGUMENTS if function.parameters is None else function.parameters or ANY_OBJECT
    if "type" not in parameters and "$ref" not in parameters:
        parameters = {"type": "object", **parameters}
    param = f"tools[{position}].function.parameters"
    is_lenient = is_auto and not function.strict
    return Tool(function.name, function.description or "", parameters, param, is_lenient)


def instructions(plan: ToolPlan, *, wants_answer: bool) -> str:
    """How tools are told to a model whose template has no place for them.

    One that has results to answer with has seen how a call is written: told again, a small one writes about that.
    """
    listed = "\n".join(orjson.dumps(tool.described()["function"]).decode() for tool in plan.tools)
    told = (
        "You can call functions to get what you need for an answer. These are the functions, one a line, in JSON:\n"
        f"{listed}"
    )
    if wants_answer:
        return f"Answer my question with what the functions returned. {told}"
    several = "" if plan.is_parallel else " Call at most one function."
    return (
        f"{told}\n"
        "To call a function, write nothing but this, with its name and its arguments:\n"
        f'{OPENING}\n{{"name": "function_name", "arguments": {{"argument": "value"}}}}\n{CLOSING}\n'
        "You are told what it returned; then answer with that in plain words. "
        f"When no function helps, answer without one.{several}"
    )


def forced_prefix(plan: ToolPlan) -> str:
    """The beginning of a forced call, which the model need not write itself."""
    named = "".join(f' "{tool.name}"{ARGUMENTS}' for tool in plan.tools) if len(plan.tools) == 1 else ""
    return f"{OPENING}{NAME}{named}"


def call_grammar(
    plan: ToolPlan, *, ending: Sequence[int], answer: str | None = None, thought: str | None = None
) -> str:
    """The grammar of an answer: text, or calls, or either; the text and the thought before it may have rules."""
    begin = f"begin: {_start(plan, answer)}"
    rules = [f"start: thought begin\nthought[lazy]: {thought}" if thought else "start: begin", begin]
    if plan.mode == "auto":
        rules += [answer_rules(answer, ending), f"opening[lazy]: {UP_TO_CALL}"]
    if plan.is_parallel:
        rules.append(f"more: ({_quoted(BETWEEN)} name){{0,{MOST_CALLS - 1}}}")
    return grammar("\n".join([*rules, _call_rules(plan.tools)]))


def answer_rules(answer: str | None, ending: Sequence[int]) -> str:
    """The rule of an answer, which is any text without one.

    A grammar lets a model end with one token, which need not be the one that this model ends with (`ending`). Where
    text may go on for ever, the model must be let end in its own way.
    """
    if answer is not None:
        return f"answer: {answer}"
    if not ending:
        return f"answer: {ANY_TEXT}"
    return f"answer: text ended?\ntext: {ANY_TEXT}\nended: <{list(ending)}>"


def check_grammar(tools: Sequence[Tool]) -> str:
    """A grammar that holds if and only if the tools' schemas can be held; nothing in it is optional."""
    return grammar("start: name\n" + _call_rules(tools))


def _start(plan: ToolPlan, answer: str | None) -> str:
    more = " more" if plan.is_parallel else ""
    if plan.mode == "auto":
        # Where the text has a form of its own, a call may only stand at the beginning.
        opening = _quoted(OPENING) if answer else "opening"
        return f"answer | {opening} {_quoted(NAME)} name{more}"
    if len(plan.tools) > 1:
        return f"name{more}"
    end = f" {_quoted(END)} more" if plan.is_parallel else ""
    return f"{_quoted(' ')} arguments_0{end}"


def _call_rules(tools: Sequence[Tool]) -> str:
    rules = ["name: " + " | ".join(f"call_{position}" for position in range(len(tools)))]
    for position, tool in enumerate(tools):
        head = _quoted(f' "{tool.name}"{ARGUMENTS} ')
        rules.append(f"call_{position}: {head} arguments_{position} {_quoted(END)}")
        rules.append(f"arguments_{position}: {json_rule(closed(tool.parameters), lenient=tool.is_lenient)}")
    return "\n".join(rules)


def _quoted(text: str) -> str:
    return orjson.dumps(text).decode()
