"""What the audio operations refuse in the words that their clients know."""

from collections.abc import Mapping
from typing import Any, ClassVar

from smalt.core.errors import InvalidRequest, TooLarge

NOTHING_HEARD: Mapping[str, Any] = {"usage": {"type": "duration", "seconds": 0}}


class InvalidLanguage(InvalidRequest):
    """The language is no code of ISO 639-1 (400)."""

    default_code = "invalid_language_format"
    beside: ClassVar[Mapping[str, Any]] = NOTHING_HEARD

    def __init__(self, code: str) -> None:
        advice = "Language parameter must be specified in ISO-639-1 format."
        super().__init__(f"Invalid language '{code}'. {advice}", param="language")


class RecordingTooLarge(TooLarge):
    """The recording is over `audio.upload_bytes` (413)."""

    type = "server_error"
    beside: ClassVar[Mapping[str, Any]] = NOTHING_HEARD

    def __init__(self, size: int, *, most: int) -> None:
        super().__init__(f"413: Maximum content size limit ({most}) exceeded ({size} bytes read)")
