"""What the engines that look at pictures have in common: which files are pictures, and how others are refused."""

from typing import Final

from smalt.core.errors import InvalidRequest

SIGNATURES: Final = {b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG", b"GIF87a": "GIF", b"GIF89a": "GIF"}


def picture_format(content: bytes) -> str | None:
    """The format of an encoded picture by its first bytes: PNG, JPEG, GIF or WEBP; None for anything else."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WEBP"
    return next((name for signature, name in SIGNATURES.items() if content.startswith(signature)), None)


def unsupported_picture(number: int) -> InvalidRequest:
    """The refusal of a file that is no picture; pictures count from 1."""
    return InvalidRequest(
        f"Picture {number} is not in a format that can be looked at. Send PNG, JPEG, WebP or GIF.",
        param="input",
        code="invalid_image_format",
    )


def broken_picture(number: int, reason: str) -> InvalidRequest:
    """The refusal of a picture that cannot be read, or is too large."""
    return InvalidRequest(f"Picture {number} {reason}", param="input", code="image_parse_error")
