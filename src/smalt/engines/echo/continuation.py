"""Decides what an echo says to the prompts of a text completion."""

from collections.abc import Sequence

from smalt.core.errors import UnsupportedParameter
from smalt.engines.echo.likelihood import certain, unknown
from smalt.engines.echo.words import repeated, stopped, tokens_of
from smalt.engines.protocols import CompletionDelta, FinishReason
from smalt.schemas.completions import CreateCompletionRequest

DEFAULT_MAX_TOKENS = 16
"""What a request gets that does not say; the reference's own number."""

Script = list[CompletionDelta]


def refuse_unserved(body: CreateCompletionRequest) -> None:
    """Refuse, by name, what an echo cannot honour."""
    for name in ("suffix", "logit_bias"):
        if getattr(body, name):
            raise UnsupportedParameter(name)


def max_tokens(body: CreateCompletionRequest) -> int:
    """The most tokens of one text."""
    return DEFAULT_MAX_TOKENS if body.max_tokens is None else body.max_tokens


def prompts_of(body: CreateCompletionRequest) -> list[str]:
    """The prompts as texts."""
    given = body.prompt
    if given is None or isinstance(given, str):
        return [given or ""]
    if isinstance(given[0], int):
        return [text_of(_ids(given))]
    return [one if isinstance(one, str) else text_of(_ids(one)) for one in given]


def text_of(tokens: Sequence[int]) -> str:
    """The text that token ids stand for: they are no words here, and are written as numbers."""
    return "".join(f" {token}" for token in tokens)


def scripts(prompts: list[str], body: CreateCompletionRequest, *, most: int | None, length: int | None) -> list[Script]:
    """What each choice says, piece by piece; choices count over prompts, then over n."""
    count = body.n or 1
    return [
        _script(place * count + number, prompt, body, most=most, length=length)
        for place, prompt in enumerate(prompts)
        for number in range(count)
    ]


def count_new(scripts: list[Script], prompts: list[str], body: CreateCompletionRequest) -> int:
    """How many tokens the choices have that are not echoes of their prompts."""
    pieces = sum(len(script) - 1 for script in scripts)
    return pieces - sum(len(tokens_of(prompt)) for prompt in prompts) * (body.n or 1) if body.echo else pieces


def _script(choice: int, prompt: str, body: CreateCompletionRequest, *, most: int | None, length: int | None) -> Script:
    echoed = tokens_of(prompt) if body.echo else []
    whole = repeated(tokens_of(stopped(prompt, body.stop)), length)
    new = whole[:most]
    finish: FinishReason = "length" if len(new) < len(whole) else "stop"
    script = [
        _piece(choice, token, body, is_first=body.echo is True and not place)
        for place, token in enumerate([*echoed, *new])
    ]
    return [*script, CompletionDelta(choice, finish_reason=finish)]


def _piece(choice: int, token: str, body: CreateCompletionRequest, *, is_first: bool) -> CompletionDelta:
    if body.logprobs is None:
        return CompletionDelta(choice, token)
    return CompletionDelta(choice, token, (unknown(token) if is_first else certain(token, body.logprobs),))


def _ids(tokens: object) -> list[int]:
    return tokens if isinstance(tokens, list) else []  # pyright: ignore[reportUnknownVariableType] - the schema says so
