"""Puts the words of earlier spoken answers where a conversation names them by their ids."""

from smalt.core.errors import NotFound
from smalt.schemas.chat import AzureCreateChatCompletionRequest, ChatCompletionRequestAssistantMessage
from smalt.store.spoken_answers import SpokenAnswers


async def recalled(
    body: AzureCreateChatCompletionRequest, spoken: SpokenAnswers, project: str
) -> AzureCreateChatCompletionRequest:
    """The conversation with what was said; `NotFound` for an id that this project does not have, or no more."""
    named = {
        position: message.audio.id
        for position, message in enumerate(body.messages)
        if isinstance(message, ChatCompletionRequestAssistantMessage) and message.audio is not None
    }
    if not named:
        return body
    transcripts = await spoken.transcripts(project, set(named.values()))
    messages = list(body.messages)
    for position, answer_id in named.items():
        if answer_id not in transcripts:
            raise NotFound(
                f"Audio with id '{answer_id}' not found. It was never here, or it has expired (expires_at); send its "
                "transcript as the content instead.",
                param=f"messages[{position}].audio.id",
            )
        content = messages[position].content or transcripts[answer_id]
        messages[position] = messages[position].model_copy(update={"audio": None, "content": content})
    return body.model_copy(update={"messages": messages})
