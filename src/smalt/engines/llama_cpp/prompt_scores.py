"""Finds out how likely a prompt's own tokens were, which llama.cpp's server does not tell."""

from math import nan

from smalt.engines.llama_cpp.chat import Worker
from smalt.engines.llama_cpp.completion_plan import Prompt
from smalt.engines.llama_cpp.logprobs import entries
from smalt.engines.protocols import TokenLogprob

SURE = 10_000.0


async def prompt_entries(worker: Worker, prompt: Prompt, top: int) -> tuple[TokenLogprob, ...]:
    """The entries of a prompt's tokens; the first has no probability (NaN), for nothing stands before it.

    Every token is drawn once behind those before it, with a bias that leaves no other: the probabilities told are
    those without the bias. It costs as much as if the prompt were generated.
    """
    tokens = await _tokens(worker, prompt)
    start = (
        1 if tuple(tokens[:1]) == worker.facts.beginning_token and len(tokens) > 1 and isinstance(prompt, str) else 0
    )
    scored: list[TokenLogprob] = []
    for position in range(start, len(tokens)):
        if position == 0:
            piece = (await worker.server.ask("/detokenize", {"tokens": tokens[:1]}))["content"]
            scored.append(TokenLogprob(piece, nan, tuple(piece.encode())))
        else:
            scored += await _score(worker, tokens[:position], tokens[position], top)
    return tuple(scored)


async def _tokens(worker: Worker, prompt: Prompt) -> list[int]:
    if not isinstance(prompt, str):
        return [] if prompt == list(worker.facts.beginning_token) else prompt
    asked = {"content": prompt, "add_special": True, "parse_special": True}
    return (await worker.server.ask("/tokenize", asked))["tokens"]


async def _score(worker: Worker, before: list[int], token: int, top: int) -> list[TokenLogprob]:
    answer = await worker.server.ask(
        "/completion",
        {
            "prompt": before,
            "n_predict": 1,
            "n_probs": max(1, top),
            "temperature": 0.0,
            "samplers": ["temperature"],
            "logit_bias": [[token, SURE]],
            "cache_prompt": True,
        },
        param="prompt",
    )
    return entries(answer.get("completion_probabilities", ()), top)
