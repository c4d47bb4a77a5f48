"""Spells out prompts of token ids for the content filter, where their model tells what they stand for."""

from collections.abc import Sequence
from typing import cast

from smalt.api.accounting import Asked
from smalt.engines.protocols import CompletionEngine, TokenReader
from smalt.models import Models
from smalt.schemas.completions import CreateCompletionRequest


async def spelled_out(models: Models, asked: Asked) -> Asked:
    """The request with texts instead of token ids; as it is where it has none, or where its engine cannot read them.

    Raises what the engine does: who cannot read a prompt could not answer it either.
    """
    if not isinstance(asked, CreateCompletionRequest) or not (prompts := _token_ids(asked)):
        return asked
    async with models.lease(asked.model, CompletionEngine) as engine:
        if not isinstance(engine, TokenReader):
            return asked
        texts = [await engine.text_of(tokens) for tokens in prompts]
    return asked.model_copy(update={"prompt": texts})


def _token_ids(asked: CreateCompletionRequest) -> Sequence[Sequence[int]]:
    """The prompts, if they are token ids; a request has texts or token ids, never both."""
    prompt = asked.prompt
    if not isinstance(prompt, list) or isinstance(prompt[0], str):
        return []
    return cast("list[list[int]]", [prompt] if isinstance(prompt[0], int) else prompt)
