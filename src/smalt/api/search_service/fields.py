"""The fields of an index: what every chunk has, and the attributes of the files that are there."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from smalt.core.errors import InvalidRequest

EdmType = Literal["Edm.String", "Edm.Boolean", "Edm.Double", "Edm.Int32", "Collection(Edm.Single)"]

NAME = re.compile(r"[A-Za-z]\w{0,127}", re.ASCII)
KEY_FIELD = "id"
CONTENT_FIELD = "content"
VECTOR_FIELD = "contentVector"
FILLED = ("title", "url")
"""Fields of every chunk that an attribute of the same name fills."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an index, with what a client may do with it."""

    name: str
    type: EdmType
    is_searchable: bool = False
    is_filterable: bool = False
    is_retrievable: bool = True

    @property
    def is_sortable(self) -> bool:
        """Whether results may be put in its order."""
        return self.is_filterable


OWN_FIELDS = (
    Field(KEY_FIELD, "Edm.String"),
    Field(CONTENT_FIELD, "Edm.String", is_searchable=True),
    Field("title", "Edm.String", is_filterable=True),
    Field("url", "Edm.String", is_filterable=True),
    Field("filepath", "Edm.String", is_filterable=True),
    Field("chunk_id", "Edm.String"),
    Field("file_id", "Edm.String", is_filterable=True),
    Field("page", "Edm.Int32"),
    Field("heading", "Edm.String"),
    Field(VECTOR_FIELD, "Collection(Edm.Single)", is_searchable=True, is_retrievable=False),
)
OWN_NAMES = frozenset(field.name for field in OWN_FIELDS)


def fields_of(attributes: Iterable[Mapping[str, Any]]) -> dict[str, Field]:
    """The fields of an index over files with these attributes, by name.

    An attribute whose values are not all of one type is a string; one whose name OData cannot write, or that a field of
    every chunk has already, is no field of its own.
    """
    types: dict[str, EdmType] = {}
    for one in attributes:
        for name, value in one.items():
            if name not in OWN_NAMES and NAME.fullmatch(name):
                kind = type_of(value)
                types[name] = kind if types.get(name, kind) == kind else "Edm.String"
    found = [Field(name, kind, is_filterable=True) for name, kind in sorted(types.items())]
    return {field.name: field for field in (*OWN_FIELDS, *found)}


def type_of(value: object) -> EdmType:
    """The type that OData has for an attribute's value."""
    if isinstance(value, bool):
        return "Edm.Boolean"
    return "Edm.Double" if isinstance(value, (int, float)) else "Edm.String"


def as_type(value: Any, field: Field) -> Any:
    """An attribute's value as its field shows it."""
    if value is None or field.type != "Edm.String" or isinstance(value, str):
        return value
    return ("true" if value else "false") if isinstance(value, bool) else f"{value:.15g}"


def find_field(fields: Mapping[str, Field], name: str, *, param: str) -> Field:
    """A field by its name; raises `InvalidRequest` listing those there are."""
    if name not in fields:
        raise InvalidRequest(
            f"Invalid expression: Could not find a property named '{name}' on type 'search.document'. The fields are: "
            f"{', '.join(fields)}.\r\nParameter name: ${param}",
            param=param,
        )
    return fields[name]


def require_filterable(field: Field, *, param: str) -> Field:
    """Refuse a field that no filter and no order may name."""
    if not field.is_filterable:
        use = "sortable" if param == "orderby" else "filterable"
        raise InvalidRequest(
            f"Invalid expression: The field '{field.name}' is not {use}. "
            f"Use attributes of the files, or filepath, file_id, title and url.\r\nParameter name: ${param}",
            param=param,
        )
    return field
