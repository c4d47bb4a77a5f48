"""Makes sure that a schema really binds the model before an answer is promised to fit it."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from smalt.core.errors import InvalidRequest
from smalt.engines.llama_cpp.facts import ModelFacts
from smalt.engines.llama_cpp.schema import Path, grammar, json_rule, spelled, subschemas, unheld_keyword
from smalt.engines.llama_cpp.tools import Tool, check_grammar

if TYPE_CHECKING:
    from smalt.engines.llama_cpp.server import LlamaServer

Json = dict[str, Any]

REMEMBERED = 1024
MOST_TRIALS = 64


class SchemaCheck:
    """Tries schemas out on the server, each once.

    llama.cpp only logs that it cannot compile a grammar, and then answers freely. So one token is drawn under the
    grammar and under a bias for a token that it cannot begin with: who sees that token knows that nothing held.
    """

    def __init__(self, server: "LlamaServer", facts: ModelFacts) -> None:
        self._server = server
        self._facts = facts
        self._known = OrderedDict[str, bool]()

    async def tools(self, tools: Sequence[Tool]) -> None:
        """Raise `InvalidRequest` for the first tool whose parameters cannot be held."""
        for tool in tools:
            if not tool.is_lenient and (path := unheld_keyword(tool.parameters)) is not None:
                raise _tool_refused(tool, path)
        if await self._holds(check_grammar(tools)):
            return
        for tool in tools:
            if (path := await self._culprit(tool.parameters, lenient=tool.is_lenient)) is not None:
                raise _tool_refused(tool, path)
        raise InvalidRequest("The tools' parameters together are more than this model can hold.", param="tools")

    async def answer(self, schema: Mapping[str, Any], name: str, *, lenient: bool) -> None:
        """Raise `InvalidRequest` when an answer cannot be held to `schema`."""
        path = None if lenient else unheld_keyword(schema)
        if path is None:
            path = await self._culprit(schema, lenient=lenient)
        if path is not None:
            raise InvalidRequest(
                f"Invalid schema for response_format '{name}': {_told(path)}",
                param="response_format.json_schema.schema",
                code="invalid_json_schema",
            )

    async def _culprit(self, schema: Mapping[str, Any], *, lenient: bool) -> Path | None:
        """The path of the smallest part that cannot be held, or None when the whole can."""
        if await self._holds(_grammar_of(schema, lenient=lenient)):
            return None
        shared = {key: schema[key] for key in ("$defs", "definitions") if key in schema}
        for trial, (path, part) in enumerate(subschemas(dict(schema))):
            if trial == MOST_TRIALS:
                break
            if not await self._holds(_grammar_of({**shared, **part}, lenient=lenient)):
                return path
        return ()

    async def _holds(self, rules: str) -> bool:
        known = self._known.get(rules)
        if known is None:
            known = self._known[rules] = await self._try(rules)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return known

    async def _try(self, rules: str) -> bool:
        unlikely = self._facts.unlikely_token
        answer = await self._server.ask(
            "/completion",
            {
                "prompt": [*self._facts.beginning_token, unlikely],
                "grammar": rules,
                "n_predict": 1,
                "temperature": 0.0,
                "logit_bias": [[unlikely, 1000.0]],
                "return_tokens": True,
                "cache_prompt": False,
            },
        )
        return unlikely not in answer["tokens"]


def _grammar_of(schema: Mapping[str, Any], *, lenient: bool) -> str:
    return grammar(f"start: {json_rule(schema, lenient=lenient)}\n")


def _tool_refused(tool: Tool, path: Path) -> InvalidRequest:
    return InvalidRequest(
        f"Invalid schema for function '{tool.name}': {_told(path)}",
        param=tool.param,
        code="invalid_function_parameters",
    )


def _told(path: Path) -> str:
    where = f"'{spelled(path)}'" if path else "the schema as a whole"
    return f"{where} is not valid, or says what this model cannot be held to. Remove it or say it more simply."
