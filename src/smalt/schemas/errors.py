"""The envelopes of failures."""

from typing import Annotated, Literal

from smalt.schemas.content_filter import AzureContentFilterPromptResults
from smalt.schemas.wire import Wire, open_enum


class AzureInnerError(Wire):
    """What the content filter found, when it is the reason."""

    code: Literal["ResponsibleAIPolicyViolation"] | None = None
    content_filter_result: AzureContentFilterPromptResults | None = None
    content_filter_results: AzureContentFilterPromptResults | None = None
    revised_prompt: str | None = None


class AzureError(Wire):
    """What went wrong, which field is at fault and which word programs match on."""

    message: str
    type: Annotated[str, open_enum("error", "invalid_request_error", "server_error")] | None = None
    param: str | None = None
    code: str | None = None
    status: int | None = None
    inner_error: AzureInnerError | None = None
    innererror: AzureInnerError | None = None


class AzureErrorResponse(Wire):
    """A failure, as the Azure mounts answer it."""

    error: AzureError


class Error(Wire):
    """What went wrong, with every field always there."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorResponse(Wire):
    """A failure, as the OpenAI mount answers it."""

    error: Error
