"""What a chat request that wants to be answered aloud must be."""

from smalt.core.errors import InvalidRequest, UnsupportedParameter, UnsupportedValue
from smalt.schemas.chat import AzureCreateChatCompletionRequest

COMBINATIONS = "['text'] and ['text', 'audio']"


def check_audio(body: AzureCreateChatCompletionRequest) -> None:
    """Raise what is wrong with the fields that ask for a spoken answer."""
    wanted = body.modalities
    if wanted is not None and sorted(set(wanted)) not in (["text"], ["audio", "text"]):
        raise InvalidRequest(
            f"Invalid modalities: {wanted}. Supported combinations are: {COMBINATIONS}.",
            param="modalities",
            code="invalid_value",
        )
    if not is_spoken(body):
        if body.audio is not None:
            raise InvalidRequest(
                "'audio' is only allowed when 'modalities' includes 'audio'. Send modalities: ['text', 'audio'].",
                param="audio",
            )
        return
    if body.audio is None:
        raise InvalidRequest(
            "Missing required parameter: 'audio'. It says in which voice and format to speak.",
            param="audio",
            code="missing_required_parameter",
        )
    if body.stream and body.audio.format != "pcm16":
        raise UnsupportedValue(
            f"Unsupported value: 'audio.format' does not support '{body.audio.format}' when stream=true. Supported "
            "values are: 'pcm16'.",
            param="audio.format",
        )
    if body.data_sources is not None:
        raise UnsupportedParameter("modalities", "Answers from data_sources are not spoken.")


def is_spoken(body: AzureCreateChatCompletionRequest) -> bool:
    """Whether the answer shall be heard."""
    return "audio" in (body.modalities or ())


def unspoken(body: AzureCreateChatCompletionRequest) -> AzureCreateChatCompletionRequest:
    """The request for an answer in words alone, which chat engines give."""
    return body.model_copy(update={"modalities": None, "audio": None}) if is_spoken(body) else body
