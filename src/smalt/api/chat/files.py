"""Reads the files in a conversation for the content filter; the model gets them as they are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from smalt.core.errors import ApiError
from smalt.schemas.chat import (
    AzureCreateChatCompletionRequest,
    ChatCompletionRequestMessage,
    ChatCompletionRequestMessageContentPartFile,
    ChatCompletionRequestMessageContentPartText,
    ChatCompletionRequestUserMessage,
)

if TYPE_CHECKING:
    from smalt.api.responses.input_files import InputFiles


@dataclass(frozen=True, slots=True)
class Seen:
    """A conversation as the filter sees it, with text in place of files, and what those files say."""

    body: AzureCreateChatCompletionRequest
    documents: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class PromptFiles:
    """Reads files as responses do; a file that cannot be read stays, and the filter says that it cannot."""

    reader: "Callable[[], InputFiles]"

    async def seen(self, body: AzureCreateChatCompletionRequest, project: str) -> Seen:
        """The conversation with the text of its files."""
        documents: list[str] = []
        messages = [await self._message(message, project, documents) for message in body.messages]
        return Seen(body.model_copy(update={"messages": messages}), documents) if documents else Seen(body)

    async def _message(
        self, message: ChatCompletionRequestMessage, project: str, documents: list[str]
    ) -> ChatCompletionRequestMessage:
        """The message as the filter sees it; adds what its files say to `documents`."""
        if not isinstance(message, ChatCompletionRequestUserMessage) or not isinstance(message.content, list):
            return message
        parts = list(message.content)
        for position, part in enumerate(parts):
            if isinstance(part, ChatCompletionRequestMessageContentPartFile):
                text = await self._text(part, project)
                if text is not None:
                    documents.append(text)
                    parts[position] = ChatCompletionRequestMessageContentPartText(type="text", text=text)
        return message.model_copy(update={"content": parts})

    async def _text(self, part: ChatCompletionRequestMessageContentPartFile, project: str) -> str | None:
        file: dict[str, Any] = part.file.model_dump(exclude_none=True)
        if not file.get("file_id") and "file_data" not in file:
            return None
        # What reads files takes a fifth of the start to import, and most conversations have none.
        from smalt.api.responses.input_files import READ, place

        item = {"type": "message", "content": [{**file, "type": "input_file"}]}
        try:
            (read,) = await self.reader().read(project, [item])
        except ApiError:
            # It may be one that only the model knows and can read.
            return None
        return read[READ][place("content", 0)]
