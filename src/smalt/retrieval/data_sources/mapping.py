"""Reads documents out of an index's records: by the fields that a request maps, or by their usual names."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from smalt.schemas.on_your_data import FieldsMapping, VectorFieldsMapping

DEFAULT_SEPARATOR = "\n"
CONTENT_NAMES = ("content", "chunk", "text", "body", "page_content", "pagecontent", "description", "passage")
TITLE_NAMES = ("title", "name", "header", "heading", "subject")
URL_NAMES = ("url", "uri", "link", "source_url", "sourceurl", "metadata_storage_path")
FILEPATH_NAMES = ("filepath", "file_path", "filename", "file_name", "file", "path", "metadata_storage_name", "source")
CHUNK_NAMES = ("chunk_id", "chunkid", "chunk")
IDENTITY_NAMES = ("id", "_id", "key", "chunk_id", "parent_id")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an index, as far as a mapping needs to know it."""

    name: str
    is_text: bool = True
    is_vector: bool = False
    is_key: bool = False


@dataclass(frozen=True, slots=True)
class Fields:
    """Which fields hold what."""

    content: tuple[str, ...]
    separator: str = DEFAULT_SEPARATOR
    title: str | None = None
    url: str | None = None
    filepath: str | None = None
    vectors: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    """Fields that tell documents and their chunks apart."""

    @property
    def read(self) -> list[str]:
        """The fields to ask for, each once."""
        named = (*self.content, self.title, self.url, self.filepath, *self.others)
        return list(dict.fromkeys(name for name in named if name))


@dataclass(frozen=True, slots=True)
class Parts:
    """What a record says, in the words of a document."""

    content: str
    title: str | None
    url: str | None
    filepath: str | None
    chunk_id: str | None


def mapped(mapping: FieldsMapping | None, fields: Iterable[Field]) -> Fields:
    """What the request maps, and what the names of the index's fields suggest for the rest."""
    known = list(fields)
    texts = [field.name for field in known if field.is_text]
    given = mapping or FieldsMapping()
    title = given.title_field or _named(texts, TITLE_NAMES)
    url = given.url_field or _named(texts, URL_NAMES)
    filepath = given.filepath_field or _named(texts, FILEPATH_NAMES)
    vectors = given.vector_fields if isinstance(given, VectorFieldsMapping) else None
    return Fields(
        content=tuple(given.content_fields or _content(texts, {title, url, filepath})),
        separator=DEFAULT_SEPARATOR if given.content_fields_separator is None else given.content_fields_separator,
        title=title,
        url=url,
        filepath=filepath,
        vectors=tuple(vectors or (field.name for field in known if field.is_vector)),
        others=tuple(field.name for field in known if field.is_key or field.name.casefold() in CHUNK_NAMES),
    )


def is_complete(mapping: FieldsMapping | None, *, needs_vectors: bool) -> bool:
    """Whether a mapping says all that a search needs, so that nobody has to ask the index."""
    if mapping is None or not mapping.content_fields:
        return False
    return not needs_vectors or bool(getattr(mapping, "vector_fields", None))


def of_record(record: Mapping[str, Any]) -> list[Field]:
    """The fields of an index that only one of its records tells about."""
    return [Field(name, is_text=isinstance(value, str)) for name, value in record.items() if name[:1] not in {"@", "_"}]


def read(record: Mapping[str, Any], fields: Fields) -> Parts:
    """What one record says."""
    pieces = [text for name in fields.content if (text := _text(value(record, name)))]
    return Parts(
        content=fields.separator.join(pieces),
        title=_optional(record, fields.title),
        url=_optional(record, fields.url),
        filepath=_optional(record, fields.filepath),
        chunk_id=_chunk_id(record, fields),
    )


def value(record: Mapping[str, Any], path: str) -> Any:
    """A field's value; dots lead into objects, unless a name itself has them."""
    if path in record:
        return record[path]
    here: Any = record
    for part in path.split("."):
        here = cast("Mapping[str, Any]", here).get(part) if isinstance(here, Mapping) else None
    return here


def identity(record: Mapping[str, Any], parts: Parts) -> str:
    """What tells a record from others: its key where it has one, else what it says."""
    for name in IDENTITY_NAMES:
        if isinstance(known := record.get(name), str | int) and known != parts.chunk_id:
            return f"{name}:{known}:{parts.chunk_id or ''}"
    return "\0".join(text or "" for text in (parts.url, parts.filepath, parts.chunk_id, parts.content))


def _content(texts: Sequence[str], taken: set[str | None]) -> list[str]:
    named = _named([name for name in texts if name not in taken], CONTENT_NAMES)
    return [named] if named else [name for name in texts if name not in taken and name.casefold() not in IDENTITY_NAMES]


def _named(names: Sequence[str], wanted: Sequence[str]) -> str | None:
    by_name = {name.casefold(): name for name in reversed(names)}
    return next((by_name[word] for word in wanted if word in by_name), None)


def _chunk_id(record: Mapping[str, Any], fields: Fields) -> str | None:
    for name in CHUNK_NAMES:
        if name not in fields.content and isinstance(found := record.get(name), str | int):
            return str(found)
    return None


def _optional(record: Mapping[str, Any], name: str | None) -> str | None:
    return (_text(value(record, name)) or None) if name else None


def _text(found: Any) -> str:
    """A value as text: lists line by line, nothing for what holds nothing."""
    if found is None:
        return ""
    if isinstance(found, list):
        return "\n".join(filter(None, map(_text, cast("list[Any]", found))))
    return found if isinstance(found, str) else str(found)
