"""Reads e-mails (.eml): who wrote to whom and when, the subject, the text, and attached texts."""

from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

from smalt.retrieval.extraction.encodings import decode
from smalt.retrieval.extraction.html import feed_html
from smalt.retrieval.extraction.outline import Outline

HEADERS = ("Subject", "From", "To", "Cc", "Date")


def read_email(path: Path, outline: Outline) -> None:
    """Read a message; attachments that are no text are named only."""
    with path.open("rb") as file:
        message = BytesParser(policy=policy.default.clone(max_line_length=None)).parse(file)
    assert isinstance(message, EmailMessage)
    _read(message, outline)
    outline.flush()


def _read(message: EmailMessage, outline: Outline) -> None:
    for name in HEADERS:
        if value := message.get(name):
            outline.line(f"{name}: {value}")
    outline.text("\n")
    body = message.get_body(("plain", "html"))
    # Beside plain text, HTML says the same again.
    is_plain = body is not None and body.get_content_subtype() == "plain"
    repeated = "text/html" if is_plain else ""
    for part in message.walk():
        if not part.is_multipart() and (part.get_filename() or part.get_content_type() != repeated):
            _read_part(part, outline)


def _read_part(part: EmailMessage, outline: Outline) -> None:
    if name := part.get_filename():
        outline.line(f"Attachment: {name}")
    if part.get_content_maintype() != "text":
        return
    text = _text(part)
    if part.get_content_subtype() == "html":
        feed_html([text], outline)
    else:
        outline.paragraph(text)


def _text(part: EmailMessage) -> str:
    content = part.get_payload(decode=True)
    content = content if isinstance(content, bytes) else b""
    charset = part.get_content_charset()
    try:
        return content.decode(charset or "ascii").replace("\r\n", "\n")
    except (LookupError, UnicodeDecodeError):
        return decode(content)
