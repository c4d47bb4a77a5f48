"""Makes ids in the shapes the real services use."""

import secrets
import string

from smalt.core.clock import now

ALPHANUMERIC = string.ascii_letters + string.digits
LETTER_OF_BYTE = bytes(ord(ALPHANUMERIC[byte % len(ALPHANUMERIC)]) for byte in range(256))
"""A letter or digit for each byte; the slight bias does not matter for a name."""


def short_id(prefix: str, length: int = 24) -> str:
    """An id of random letters and digits, such as `call_` with 24 of them."""
    return prefix + secrets.token_bytes(length).translate(LETTER_OF_BYTE).decode()


def timed_id(prefix: str) -> str:
    """An id of 32 hex digits that begins with its second of creation, such as `vs_…` and `eval_…`."""
    return f"{prefix}{now():08x}{secrets.token_hex(2)}81{secrets.choice('9a')}{secrets.token_hex(9)[:17]}"


def response_id() -> str:
    """An id of 50 hex digits for a response; the first 16 are shared with the items that it puts out."""
    return timed_id(f"resp_{secrets.token_hex(8)}00")


def item_id(prefix: str, response_id: str) -> str:
    """An id of 50 hex digits for an item, such as `msg_…`, that begins as its response's does."""
    shared = response_id.partition("_")[2][:18]
    return timed_id(f"{prefix}{shared}")


def random_id(prefix: str) -> str:
    """An id of 32 random hex digits, such as `vsfb_…`."""
    return f"{prefix}{secrets.token_hex(16)}"


def chat_completion_id() -> str:
    """An id for a chat completion."""
    return short_id("chatcmpl-", 29)


def completion_id() -> str:
    """An id for a text completion."""
    return short_id("cmpl-", 29)


def tool_call_id() -> str:
    """An id for one tool call."""
    return short_id("call_")


def request_id() -> str:
    """An id for a request, as OpenAI writes it."""
    return f"req_{secrets.token_hex(16)}"


def uuid_id() -> str:
    """An id for a request, as Azure writes it."""
    # Put together by hand: the library's object for it takes three times as long, and every request has an id.
    digits = secrets.token_hex(16)
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
