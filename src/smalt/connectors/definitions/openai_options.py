"""The optional parameters of OpenAI's operations, for the connectors whose documents only point at them.

What has to do with streaming is left out: a connector's answer comes whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from smalt.connectors.definitions.rows import option
from smalt.connectors.definitions.vocabulary import Parameter

TOKENS: Final = (
    option("max_tokens", "integer", "How many tokens each answer may have at most."),
    option("stop", "array of string", "Up to four texts that end the answer where one would come up."),
    option("n", "integer", "How many answers to write."),
    option("seed", "integer", "The same number with the same request gives the same answer as far as it can."),
    option("logit_bias", "object", "Token ids, each with a number from -100 (never) to 100 (always)."),
    option("presence_penalty", "number", "From -2 to 2: above 0 it keeps from words that have come up."),
    option("frequency_penalty", "number", "From -2 to 2: above 0 it keeps from words that come up often."),
    option("top_p", "number", "Choose among the likeliest words that together have this share, from 0 to 1."),
)
TEMPERATURE: Final = option("temperature", "number", "How freely words are chosen, from 0 to 2.")
USER: Final = option("user", "string", "Your own name for the person on whose behalf you ask.")

COMPLETION: Final = (
    option("prompt", "string", "The text to continue."),
    *TOKENS,
    option("suffix", "string", "The text that follows the completion."),
    option("best_of", "integer", "Write this many and give the best `n` of them."),
    option("echo", "boolean", "Give the prompt before the completion."),
    option("logprobs", "integer", "Report the log probabilities of this many likeliest tokens, up to 5."),
    USER,
)
EDIT: Final = (
    option("n", "integer", "How many edits to write."),
    TEMPERATURE,
    option("top_p", "number", "Choose among the likeliest words that together have this share, from 0 to 1."),
)
CHAT: Final = (
    *TOKENS,
    TEMPERATURE,
    option("max_completion_tokens", "integer", "How many tokens each answer may have at most, with its reasoning."),
    option("response_format", "object", 'The form of the answer, such as {"type": "json_object"}.'),
    option("tools", "array of object", "What the model may call."),
    option("tool_choice", "object", "The tool that the model must call."),
    option("parallel_tool_calls", "boolean", "Whether the model may call several tools at once."),
    option("logprobs", "boolean", "Report the log probability of each token of the answer."),
    option("top_logprobs", "integer", "Report this many likeliest tokens at each place, from 0 to 20."),
    option("reasoning_effort", "string", "How long to think before answering, such as `low` or `high`."),
    option("verbosity", "string", "How much to say: `low`, `medium` or `high`."),
    option("modalities", "array of string", "What the answer may be made of: `text` and `audio`."),
    option("audio", "object", "The voice and the format of a spoken answer."),
    option("prediction", "object", "Text that most of the answer is known to agree with."),
    option("web_search_options", "object", "How to search the web, for models that do."),
    option("moderation", "object", "How the request and its answer are moderated."),
    option("service_tier", "string", "Which queue of the service to wait in, such as `auto` or `flex`."),
    option("store", "boolean", "Keep the answer, to be listed later."),
    option("metadata", "object", "Up to 16 names with a text each, kept with a stored answer."),
    option("prompt_cache_key", "string", "The same for requests that begin alike, which are answered faster."),
    option("prompt_cache_retention", "string", "How long to keep what was read: `in_memory` or `24h`."),
    option("prompt_cache_options", "object", "How what was read is kept for later requests."),
    option("safety_identifier", "string", "A name for the person on whose behalf you ask that tells nobody who it is."),
    option("functions", "array of object", "What the model may call, in the old form of `tools`."),
    option("function_call", "object", "What the model must call, in the old form of `tool_choice`."),
    USER,
)

RESPONSE_FORMAT: Final = option("response_format", "string", "How the answer holds the picture: `url` or `b64_json`.")
PICTURES: Final = (
    option("model", "string", "The model that makes the picture."),
    option("n", "integer", "How many pictures to make."),
    option("size", "string", "Width and height, such as `1024x1024`."),
    RESPONSE_FORMAT,
    USER,
)
PAINTING: Final = (
    option("quality", "string", "How much care to take, such as `low` or `high`."),
    option("background", "string", "`transparent`, `opaque` or `auto`."),
    option("output_format", "string", "The kind of file: `png`, `jpeg` or `webp`."),
    option("output_compression", "integer", "How far to compress a `jpeg` or `webp`, from 0 to 100."),
)
IMAGE: Final = (
    *PICTURES,
    *PAINTING,
    option("moderation", "string", "How strictly to filter: `auto` or `low`."),
    option("style", "string", "`vivid` or `natural`, for models that know them."),
)
IMAGE_EDIT: Final = (
    *PICTURES,
    *PAINTING,
    option("mask", "file", "A picture of the same size that is see-through where the first may change."),
    option("input_fidelity", "string", "How closely to keep to the given picture: `low` or `high`."),
)

LISTENING: Final = (
    # The service requires it, and the module has no field for it.
    replace(
        option("model", "string", "The model that listens; `whisper-1` when it is left empty."), default="whisper-1"
    ),
    option("prompt", "string", "Text in the wanted style, or what was said before."),
    option("response_format", "string", "The form of the answer: `json`, `text`, `srt`, `verbose_json` or `vtt`."),
    option("temperature", "number", "How freely words are chosen, from 0 to 1."),
)
TRANSCRIPTION: Final = (
    *LISTENING,
    option("language", "string", "The language that is spoken, such as `en`."),
    option("languages", "array of string", "The languages that may be spoken."),
    option("keywords", "array of string", "Words that are likely to be said."),
    option("include", "array of string", "What else to report, such as `logprobs`."),
    option("timestamp_granularities", "array of string", "Which times `verbose_json` has: `word` and `segment`."),
    option("chunking_strategy", "object", "How to cut a long recording."),
    option("known_speaker_names", "array of string", "The names of the speakers whose voices are given."),
    option("known_speaker_references", "array of string", "A sample of each of these voices, as a data URL."),
)

FINE_TUNING: Final = (
    replace(option("model", "string", "The model to tune."), name="base_model", title="Base model", required=True),
    option("validation_file", "string", "The id of an uploaded file to measure the model on."),
    option("suffix", "string", "A part of the new model's name, of up to 64 characters."),
    option("seed", "integer", "The same number with the same request gives the same model as far as it can."),
    option("method", "object", "How to tune, with the method's own settings."),
    option("hyperparameters", "object", "The settings of supervised tuning in their old place."),
    option("integrations", "array of object", "Services that follow the training."),
    option("metadata", "object", "Up to 16 names with a text each, kept with the job."),
)


def for_operations(options: Mapping[str, Sequence[Parameter]], *, of: int) -> tuple[Parameter, ...]:
    """The options by operation, each once, with the operations that it belongs to when these are not all `of`."""
    merged: dict[str, Parameter] = {}
    for operation, parameters in options.items():
        for each in parameters:
            known = merged.get(each.name, each).operations
            merged[each.name] = replace(each, operations=(*known, operation))
    return tuple(
        replace(each, operations=() if len(each.operations) == of else each.operations) for each in merged.values()
    )
