"""Decides, before anything is asked of the server, how a chat request will be answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from smalt.engines.llama_cpp import thinking
from smalt.engines.llama_cpp.facts import ModelFacts
from smalt.engines.llama_cpp.messages import follows_results, plain_messages, without_system_role
from smalt.engines.llama_cpp.refusals import refuse_unsupported
from smalt.engines.llama_cpp.sampling import sampling, stops
from smalt.engines.llama_cpp.schema import grammar, json_rule
from smalt.engines.llama_cpp.tools import ToolPlan, answer_rules, call_grammar, forced_prefix, instructions, tool_plan
from smalt.schemas.chat import AzureCreateChatCompletionRequest, ResponseFormatJsonObject, ResponseFormatJsonSchema

Json = dict[str, Any]

ANY_JSON_OBJECT: Json = {"type": "object"}


@dataclass(frozen=True, kw_only=True)
class AnswerSchema:
    """What the answer must fit."""

    schema: Mapping[str, Any]
    name: str
    is_lenient: bool


@dataclass(frozen=True, kw_only=True)
class ChatPlan:
    """How one chat request is answered."""

    template: Json
    """What the chat template is rendered with."""
    fields: Json
    """How tokens are drawn, but for the seed."""
    tools: ToolPlan
    schema: AnswerSchema | None
    grammar: str | None
    thinks: bool
    prefix: str
    """The beginning of a forced answer."""
    stops: list[str]
    top_logprobs: int | None
    """How many alternatives to each token; None when no log-probabilities are asked for."""
    max_tokens: int | None
    choices: int
    seed: int | None
    is_left_to_template: bool
    """The template has a form of its own for calls or thoughts, which only llama.cpp's own parser reads."""

    @property
    def has_logprobs(self) -> bool:
        """Whether log-probabilities are asked for."""
        return self.top_logprobs is not None

    @property
    def is_read_here(self) -> bool:
        """Whether the answer is more than text to pass on, so that stop texts are looked for here."""
        return self.has_logprobs or self.thinks or self.tools.mode != "none"


def plan_chat(body: AzureCreateChatCompletionRequest, facts: ModelFacts) -> ChatPlan:
    """Plan the answer; raises what cannot be honoured, by name."""
    refuse_unsupported(body)
    tools = tool_plan(body)
    schema = _schema(body)
    wants_thought = not tools.is_forced
    thinking_fields = thinking.template_fields(facts, body.reasoning_effort, wanted=wants_thought)
    thinks = _thinks(facts, thinking_fields) and wants_thought
    is_left_to_template = _is_left_to_template(facts, tools, thinks=thinks)
    limited = thinking.limited_rule(facts, body.reasoning_effort) if thinks else None
    return ChatPlan(
        template={"messages": _messages(body, facts, tools), **_tool_fields(facts, tools), **thinking_fields},
        fields=sampling(body, facts),
        tools=tools,
        schema=schema,
        grammar=_grammar(
            tools, schema, facts, thought=limited or (thinking.ANY_RULE if thinks else None), is_limited=bool(limited)
        ),
        thinks=thinks,
        prefix=forced_prefix(tools) if tools.is_forced else "",
        stops=[] if tools.is_forced else stops(body),
        top_logprobs=(body.top_logprobs or 0) if body.logprobs else None,
        max_tokens=body.max_completion_tokens or body.max_tokens,
        choices=body.n or 1,
        seed=body.seed,
        is_left_to_template=is_left_to_template,
    )


def _schema(body: AzureCreateChatCompletionRequest) -> AnswerSchema | None:
    asked = body.response_format
    if isinstance(asked, ResponseFormatJsonObject):
        return AnswerSchema(schema=ANY_JSON_OBJECT, name="json_object", is_lenient=False)
    if isinstance(asked, ResponseFormatJsonSchema):
        wanted = asked.json_schema
        return AnswerSchema(schema=wanted.schema_ or {}, name=wanted.name, is_lenient=not wanted.strict)
    return None


def _thinks(facts: ModelFacts, thinking_fields: Json) -> bool:
    if facts.thinking == "switch":
        return bool(thinking_fields["chat_template_kwargs"]["enable_thinking"])
    return facts.thinking != "none"


def _is_left_to_template(facts: ModelFacts, tools: ToolPlan, *, thinks: bool) -> bool:
    has_foreign_calls = tools.mode == "auto" and facts.has_tool_template and not facts.has_tagged_tool_calls
    return has_foreign_calls or (thinks and not facts.has_think_tags)


def _messages(body: AzureCreateChatCompletionRequest, facts: ModelFacts, tools: ToolPlan) -> list[Json]:
    wants_answer = follows_results(body.messages) and not tools.is_forced
    told = instructions(tools, wants_answer=wants_answer) if tools.tools and not facts.has_tool_template else None
    messages = plain_messages(
        body.messages, has_tool_template=facts.has_tool_template, instructions=told, wants_answer=wants_answer
    )
    return messages if facts.has_system_role else without_system_role(messages)


def _tool_fields(facts: ModelFacts, tools: ToolPlan) -> Json:
    if not tools.tools or not facts.has_tool_template:
        return {}
    return {"tools": [tool.described() for tool in tools.tools], "parallel_tool_calls": tools.is_parallel}


def _grammar(
    tools: ToolPlan, schema: AnswerSchema | None, facts: ModelFacts, *, thought: str | None, is_limited: bool
) -> str | None:
    rule = None if schema is None else json_rule(schema.schema, lenient=schema.is_lenient)
    if tools.tools:
        return call_grammar(tools, ending=facts.ending_token, answer=rule, thought=thought)
    if rule is None and not is_limited:
        return None
    if thought is None:
        return grammar(f"start: {rule}\n")
    return grammar(f"start: thought answer\nthought[lazy]: {thought}\n{answer_rules(rule, facts.ending_token)}\n")
