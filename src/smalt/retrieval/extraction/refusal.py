"""Why a document cannot be read, in words for the one who uploaded it."""

from typing import Literal

RefusalCode = Literal["server_error", "unsupported_file", "invalid_file"]


class DocumentRefused(Exception):
    """The document cannot be read; `code` and `message` become the `last_error` of the vector store file."""

    def __init__(self, message: str, *, code: RefusalCode = "invalid_file") -> None:
        super().__init__(message)
        self.code: RefusalCode = code
        self.message = message
