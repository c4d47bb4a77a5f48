"""Walks through XML piece by piece; entities of a document's own are refused, since they can grow without bound."""

from collections.abc import Callable, Mapping
from typing import IO, NoReturn
from xml.parsers import expat

from smalt.retrieval.extraction.refusal import DocumentRefused

PIECE_BYTES = 1 << 16
NAMESPACE_END = "}"

Attributes = Mapping[str, str]


def walk(
    part: IO[bytes],
    *,
    start: Callable[[str, Attributes], None],
    end: Callable[[str], None],
    text: Callable[[str], None],
) -> None:
    """Call back for every element and text; an element's name comes without its namespace (see `valued`)."""
    parser = _parser()
    parser.StartElementHandler = lambda name, attributes: start(_local(name), attributes)
    parser.EndElementHandler = lambda name: end(_local(name))
    parser.CharacterDataHandler = text
    _parse(parser, part)


def valued(attributes: Attributes, name: str) -> str | None:
    """The value of an attribute, in whatever namespace it is."""
    return next((value for key, value in attributes.items() if _local(key) == name), None)


def check_markup(part: IO[bytes]) -> None:
    """Refuse XML that is broken or defines entities."""
    _parse(_parser(), part)


def _parser() -> expat.XMLParserType:
    parser = expat.ParserCreate(namespace_separator=NAMESPACE_END)
    parser.buffer_text = True
    parser.EntityDeclHandler = _refuse_entity
    return parser


def _parse(parser: expat.XMLParserType, part: IO[bytes]) -> None:
    try:
        while piece := part.read(PIECE_BYTES):
            parser.Parse(piece, False)  # noqa: FBT003 - whether it is the last one, by position only
        parser.Parse(b"", True)  # noqa: FBT003 - the same
    except expat.ExpatError as error:
        raise DocumentRefused(f"The document is damaged (XML: {error}). Save it again in its own program.") from error


def _refuse_entity(name: str, *_about: object) -> NoReturn:
    raise DocumentRefused(
        f"The document defines an XML entity ({name}), which none of this kind needs and which can be made to fill "
        "all memory. Save it again in its own program."
    )


def _local(name: str) -> str:
    return name.rpartition(NAMESPACE_END)[2]
