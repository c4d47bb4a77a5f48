"""Chunks as documents of an index: their keys, their fields, and the fields that a client selects."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from smalt.api.search_service.fields import FILLED, OWN_NAMES, Field, as_type, find_field
from smalt.core.errors import InvalidRequest
from smalt.retrieval.protocols import Found
from smalt.retrieval.store_files import StoreFile

KEY = re.compile(r"(?P<file>.+)_(?P<position>\d{1,7})", re.DOTALL)

Document = dict[str, Any]


def key_of(found: Found) -> str:
    """The key of a chunk's document; it lasts for as long as the file stays in the store."""
    return f"{found.file_id}_{found.position}"


def read_key(key: str) -> tuple[str, int] | None:
    """The file's id and the chunk's position that a key names; None when it cannot be one."""
    match = KEY.fullmatch(key)
    return (match["file"], int(match["position"])) if match else None


def document(found: Found, fields: Mapping[str, Field], selected: Sequence[str]) -> Document:
    """The selected fields of a chunk's document."""
    whole = {
        "id": key_of(found),
        "content": found.text,
        "chunk_id": str(found.position),
        "page": found.page,
        "heading": found.heading,
        **row(found.file_id, found.filename, found.attributes, fields),
    }
    return {name: whole.get(name) for name in selected}


def row_of(file: StoreFile, fields: Mapping[str, Field]) -> Document:
    """The fields that all documents of a file share; filters and orders look at these."""
    return row(file.file_id, file.filename, file.attributes, fields)


def row(file_id: str, filename: str, attributes: Mapping[str, Any], fields: Mapping[str, Field]) -> Document:
    """The same from a file's parts: attributes named title and url fill the fields of these names."""
    filled = {name: str(attributes[name]) for name in FILLED if attributes.get(name) not in (None, "")}
    own = {"file_id": file_id, "filepath": filename, "title": filename, "url": None} | filled
    named = {name: as_type(value, fields[name]) for name, value in attributes.items() if name in fields}
    return own | {name: value for name, value in named.items() if name not in OWN_NAMES}


def selected_fields(select: str | None, fields: Mapping[str, Field]) -> list[str]:
    """The names that `select` lists, or every field that can be shown."""
    shown = [field.name for field in fields.values() if field.is_retrievable]
    if select is None or select.strip() in ("", "*"):
        return shown
    names = list(dict.fromkeys(name.strip() for name in select.split(",") if name.strip()))
    for name in names:
        if not find_field(fields, name, param="select").is_retrievable:
            raise InvalidRequest(
                f"Invalid expression: The field '{name}' is not retrievable and cannot be selected. Leave it out of "
                "select; GET /indexes('name') shows what is retrievable.\r\nParameter name: $select",
                param="select",
            )
    return names
