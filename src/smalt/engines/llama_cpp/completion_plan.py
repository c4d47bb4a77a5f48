"""Decides, before anything is asked of the server, how a text completion will be made."""

from dataclasses import dataclass
from typing import Any

from smalt.core.errors import InvalidRequest, UnsupportedParameter
from smalt.engines.llama_cpp.facts import ModelFacts
from smalt.engines.llama_cpp.sampling import sampling, stops
from smalt.schemas.completions import CreateCompletionRequest

Json = dict[str, Any]
Prompt = str | list[int]

USUAL_MAX_TOKENS = 16


@dataclass(frozen=True, kw_only=True)
class CompletionPlan:
    """How one request for text completions is answered."""

    prompts: list[Prompt]
    suffix: str | None
    fields: Json
    """How tokens are drawn, but for the seed."""
    stops: list[str]
    max_tokens: int
    choices: int
    """Texts returned for each prompt."""
    candidates: int
    """Texts made for each prompt; the likeliest are returned."""
    top_logprobs: int | None
    """How many alternatives to each token; None when no log-probabilities are asked for."""
    has_echo: bool
    seed: int | None

    @property
    def is_choosing(self) -> bool:
        """Whether more is made than returned."""
        return self.candidates > self.choices

    @property
    def has_entries(self) -> bool:
        """Whether log-probabilities are needed, to return them or to choose by them."""
        return self.top_logprobs is not None or self.is_choosing


def plan_completion(body: CreateCompletionRequest, facts: ModelFacts) -> CompletionPlan:
    """Plan the completions; raises what cannot be honoured, by name."""
    choices = body.n or 1
    candidates = max(body.best_of or choices, choices)
    if body.stream and candidates > choices:
        raise InvalidRequest(
            "You requested that the server return more choices than it can stream: "
            "'best_of' must equal 'n' when 'stream' is true.",
            param="best_of",
        )
    prompts = _prompts(body, facts)
    _check_suffix(body, facts, prompts)
    return CompletionPlan(
        prompts=prompts,
        suffix=body.suffix or None,
        fields=sampling(body, facts),
        stops=stops(body),
        max_tokens=USUAL_MAX_TOKENS if body.max_tokens is None else body.max_tokens,
        choices=choices,
        candidates=candidates,
        top_logprobs=body.logprobs,
        has_echo=bool(body.echo),
        seed=body.seed,
    )


def _prompts(body: CreateCompletionRequest, facts: ModelFacts) -> list[Prompt]:
    given: Any = body.prompt
    if given is None or isinstance(given, str):
        prompts: list[Prompt] = [given or ""]
    elif isinstance(given[0], int):
        prompts = [given]
    else:
        prompts = list(given)
    for prompt in prompts:
        check_tokens(prompt, facts)
    return [prompt or _new_document(facts) for prompt in prompts]


def _new_document(facts: ModelFacts) -> Prompt:
    return list(facts.beginning_token)


def check_tokens(prompt: Prompt, facts: ModelFacts) -> None:
    """Refuse token ids that the model does not have, which its server takes for a fault of its own."""
    if isinstance(prompt, str):
        return
    for token in prompt:
        if token >= facts.vocabulary:
            raise InvalidRequest(
                f"Invalid token in prompt: {token}. Minimum value is 0, maximum value is {facts.vocabulary - 1} "
                "(inclusive).",
                param="prompt",
            )


def _check_suffix(body: CreateCompletionRequest, facts: ModelFacts, prompts: list[Prompt]) -> None:
    if not body.suffix:
        return
    if not facts.fills_in:
        raise UnsupportedParameter("suffix", "It was not trained to fill in a text.")
    if not all(isinstance(prompt, str) for prompt in prompts):
        raise UnsupportedParameter("suffix", "It goes with prompts that are text, not token ids.")
    if body.echo and body.logprobs is not None:
        raise UnsupportedParameter("suffix", "It does not go with 'echo' and 'logprobs' together.")
