"""Sees to it before an answer begins that prompt and answer fit the model's context."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from smalt.engines.llama_cpp.facts import ModelFacts
from smalt.engines.llama_cpp.failures import answer_too_long, prompt_too_long

if TYPE_CHECKING:
    from smalt.engines.llama_cpp.server import LlamaServer

SPARE_TOKENS = 8
"""What may be added to a prompt beside its own bytes: marks of beginning and end."""


async def check_room(
    server: "LlamaServer", facts: ModelFacts, prompt: str | Sequence[int], *, max_tokens: int | None, param: str
) -> None:
    """Raise `ContextLengthExceeded` when the answer's tokens do not fit behind the prompt.

    A prompt that is too long by itself is refused by the server; tokens are counted only when it may come to it,
    for no token is shorter than a byte.
    """
    if max_tokens is None:
        return
    is_text = isinstance(prompt, str)
    most = len(prompt.encode()) + SPARE_TOKENS if is_text else len(prompt)
    if most + max_tokens <= facts.context:
        return
    tokens = len(prompt)
    if is_text:
        asked = {"content": prompt, "add_special": True, "parse_special": True}
        tokens = len((await server.ask("/tokenize", asked, param=param))["tokens"])
    if tokens >= facts.context:
        raise prompt_too_long(tokens, facts.context, param=param)
    if tokens + max_tokens > facts.context:
        raise answer_too_long(tokens, max_tokens, facts.context, param=param)
