"""What a request says about thinking, and the thoughts that items carry from one response to the next."""

import base64
import binascii
import zlib
from collections.abc import Sequence
from typing import Any

from smalt.core.errors import InvalidRequest, UnsupportedParameter

Json = dict[str, Any]

SEAL = "smt1"
LONGEST_THOUGHT = 8 * 2**20
"""Most bytes of one thought that is sent back."""


def settled(asked: Json | None) -> Json:
    """The `reasoning` of a response, every field present; raises what cannot be honoured, by name."""
    asked = asked or {}
    if asked.get("mode") not in (None, "standard"):
        raise UnsupportedParameter("reasoning.mode", "There is one mode here: 'standard'.")
    older, newer = asked.get("generate_summary"), asked.get("summary")
    if older is not None and newer is not None and older != newer:
        raise InvalidRequest(
            "'reasoning.generate_summary' is the older name of 'reasoning.summary'. Send 'reasoning.summary' alone.",
            param="reasoning.generate_summary",
            code="invalid_parameter_combination",
        )
    return {"effort": asked.get("effort"), "summary": newer or older}


def keeps_every_thought(asked: Json | None) -> bool:
    """Whether thoughts of earlier turns are told again, not only those since the user spoke last."""
    return (asked or {}).get("context") == "all_turns"


def thought_of(item: Json) -> str:
    """What a reasoning item thought: its text, else what is sealed in it, else its summary."""
    if content := _joined(item.get("content"), "reasoning_text"):
        return content
    if sealed_text := item.get("encrypted_content"):
        return unsealed(sealed_text) or ""
    return _joined(item.get("summary"), "summary_text")


def sealed(thought: str) -> str:
    """A thought as `encrypted_content`: for a client to send back as it is, when nothing is stored.

    It is opaque, not secret: whoever may ask a model here may also read what it thought.
    """
    return SEAL + base64.b64encode(zlib.compress(thought.encode())).decode()


def unsealed(text: str) -> str | None:
    """The thought in an `encrypted_content`; None when it was not made here."""
    if not text.startswith(SEAL):
        return None
    try:
        inflating = zlib.decompressobj()
        thought = inflating.decompress(base64.b64decode(text[len(SEAL) :], validate=True), LONGEST_THOUGHT)
        return thought.decode() if inflating.eof else None
    except (binascii.Error, zlib.error, UnicodeDecodeError):
        return None


def check_sealed(items: Sequence[Json]) -> None:
    """Refuse thoughts that were sealed elsewhere, or damaged."""
    for position, item in enumerate(items):
        text = item.get("encrypted_content") if item.get("type") == "reasoning" else None
        if text and unsealed(text) is None:
            raise InvalidRequest(
                f"The encrypted content of 'input[{position}]' cannot be read: it was made by another service, or was "
                "changed. Leave the reasoning item out.",
                param=f"input[{position}].encrypted_content",
                code="invalid_encrypted_content",
            )


def _joined(parts: Any, kind: str) -> str:
    return "\n\n".join(part["text"] for part in parts or () if part.get("type") == kind)
