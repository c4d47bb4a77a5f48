"""Refuses by name what a chat request asks and this engine cannot give."""

from collections.abc import Sequence

from smalt.core.errors import InvalidRequest, UnsupportedParameter, UnsupportedValue
from smalt.schemas.chat import (
    AzureCreateChatCompletionRequest,
    ChatCompletionRequestMessage,
    ResponseFormatJsonObject,
)

REASONS = {
    "prediction": "It has no speculative decoding.",
    "audio": "It does not speak.",
    "data_sources": "It does not answer from data sources.",
    "web_search_options": "It does not search the web.",
    "moderation": "It does not moderate.",
}

USUAL_TIERS = ("auto", "default")


def refuse_unsupported(body: AzureCreateChatCompletionRequest) -> None:
    """Raise for the first field or value that cannot be honoured."""
    # Sound is asked for by both fields; the modality is the plainer word.
    if "audio" in (body.modalities or ()):
        raise UnsupportedValue(
            "Unsupported value: 'modalities' does not support 'audio' with this model. It answers in text only.",
            param="modalities",
        )
    for param, reason in REASONS.items():
        if getattr(body, param) is not None:
            raise UnsupportedParameter(param, reason)
    if body.verbosity not in (None, "medium"):
        raise _unsupported_value("verbosity", body.verbosity, "Only 'medium'.")
    if body.service_tier not in (None, *USUAL_TIERS):
        raise _unsupported_value("service_tier", body.service_tier, "There is one tier here: 'default'.")
    if body.max_tokens is not None and body.max_completion_tokens is not None:
        raise InvalidRequest(
            "'max_tokens' and 'max_completion_tokens' cannot be used together. Send 'max_completion_tokens' alone.",
            param="max_tokens",
            code="invalid_parameter_combination",
        )
    if isinstance(body.response_format, ResponseFormatJsonObject) and not _say_json(body.messages):
        raise InvalidRequest(
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
            param="messages",
        )


def _say_json(messages: Sequence[ChatCompletionRequestMessage]) -> bool:
    return any("json" in message.model_dump_json(include={"content"}).lower() for message in messages)


def _unsupported_value(param: str, value: str | None, advice: str) -> UnsupportedValue:
    return UnsupportedValue(
        f"Unsupported value: '{param}' does not support '{value}' with this model. {advice}", param=param
    )
