"""Says in llama.cpp's words how tokens are to be drawn; what is not said has OpenAI's default, not llama.cpp's."""

from collections.abc import Mapping
from typing import Any, Protocol

from smalt.core.errors import InvalidRequest, UnsupportedParameter
from smalt.engines.llama_cpp.facts import ModelFacts

Json = dict[str, Any]

SEEDS = 2**32 - 1
"""llama.cpp takes the number itself for a random seed."""

BANNED = -100


class Sampled(Protocol):
    """What chat and text completions say about drawing tokens in the same words."""

    temperature: float | None
    top_p: float | None
    frequency_penalty: float | None
    presence_penalty: float | None
    logit_bias: dict[str, float] | None
    seed: int | None
    stop: str | list[str] | None


def sampling(body: Sampled, facts: ModelFacts) -> Json:
    """The fields that decide how tokens are drawn; the seed is left to `seeded`."""
    temperature = 1.0 if body.temperature is None else body.temperature
    top_p = 1.0 if body.top_p is None else body.top_p
    penalties = {
        name: value
        for name, value in (("frequency_penalty", body.frequency_penalty), ("presence_penalty", body.presence_penalty))
        if value
    }
    # OpenAI's order; llama.cpp's own would cut off unlikely tokens before it applies the temperature.
    samplers = [*(["penalties"] if penalties else []), "temperature", *(["top_p"] if top_p < 1 else [])]
    fields: Json = {"temperature": temperature, "top_p": top_p, "top_k": 0, "min_p": 0.0, "samplers": samplers}
    if penalties:
        fields.update(penalties, repeat_last_n=facts.context, repeat_penalty=1.0)
    if body.logit_bias:
        fields["logit_bias"] = _biases(body.logit_bias, facts)
    return fields


def seeded(fields: Json, seed: int | None, first_choice: int) -> Json:
    """The fields with the seed of a choice; llama.cpp counts up from it for the choices behind it."""
    return fields if seed is None else {**fields, "seed": (seed + first_choice) % SEEDS}


def stops(body: Sampled) -> list[str]:
    """The texts that end an answer."""
    asked = [body.stop] if isinstance(body.stop, str) else body.stop or []
    return [text for text in asked if text]


def _biases(asked: Mapping[str, float], facts: ModelFacts) -> list[list[Any]]:
    biases: list[list[Any]] = []
    for token, bias in asked.items():
        if int(token) >= facts.vocabulary:
            raise InvalidRequest(
                f"Invalid key in 'logit_bias': {token} is not a token id of this model. "
                f"The least is 0, the largest is {facts.vocabulary - 1}.",
                param="logit_bias",
            )
        biases.append([int(token), False if bias <= BANNED else bias])
    return biases


def refuse(params: Mapping[str, str]) -> None:
    """Refuse the first of these parameters, each with its reason."""
    for param, reason in params.items():
        raise UnsupportedParameter(param, reason)
