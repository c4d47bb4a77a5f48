"""The ground of the wire vocabulary: what requests and answers have in common."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, WithJsonSchema
from typing_extensions import TypeAliasType

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1

NAME_PATTERN = r"^[a-zA-Z0-9_-]+$"

STRING = "(string)"
ARRAY = "(array)"
OBJECT = "(object)"
KINDS: dict[type, str] = {str: STRING, list: ARRAY, dict: OBJECT}


class Request(BaseModel):
    """Something a client sends: fields that Smalt does not know are kept, a value of the wrong type is refused."""

    model_config = ConfigDict(extra="allow", strict=True, serialize_by_alias=True, defer_build=True)


class Body(Request):
    """The whole body of a request; made ready at import, since FastAPI would do it in the middle of the first call."""

    model_config = ConfigDict(defer_build=False)


class Wire(BaseModel):
    """Something Smalt answers: only the fields of the reference, nothing else."""

    model_config = ConfigDict(extra="forbid", strict=True, serialize_by_alias=True, defer_build=True)


def kind(value: object) -> str | None:
    """Tell apart the alternatives of a field by their JSON kind; the tags are in brackets, unlike any field name."""
    return KINDS.get(type(value)) or (OBJECT if isinstance(value, BaseModel) else None)


class Expected(dict[str, Any]):
    """The JSON types that a field takes, told to whoever words the error; hashable, as annotations must be."""

    __hash__ = object.__hash__  # pyright: ignore[reportAssignmentType]  # dict forbids it, pydantic never compares it


def chosen_by(tell: Callable[[Any], str | None], *types: str) -> Discriminator:
    """Choose an alternative by `tell`; where it finds none, the error `invalid_type` has the `expected_types`."""
    return Discriminator(
        tell,
        custom_error_type="invalid_type",
        custom_error_message=f"Input should be {' or '.join(types)}",
        custom_error_context=Expected(expected_types=list(types)),
    )


def by_kind(*types: str) -> Discriminator:
    """Choose an alternative by its JSON kind."""
    return chosen_by(kind, *types)


def open_enum(*values: str) -> WithJsonSchema:
    """Describe a string that usually is one of `values` but may be any other."""
    return WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "string", "enum": list(values)}]})


Metadata = TypeAliasType(
    "Metadata",
    Annotated[
        dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]],
        Field(max_length=16, description="Up to 16 pairs of strings that are kept with the object."),
    ],
)

Name64 = Annotated[str, Field(min_length=1, max_length=64, pattern=NAME_PATTERN)]
Penalty = Annotated[float, Field(ge=-2, le=2)]
Temperature = Annotated[float, Field(ge=0, le=2)]
TopP = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=INT64_MIN, le=INT64_MAX)]
Choices = Annotated[int, Field(ge=1, le=128)]
LogitBias = Annotated[
    dict[Annotated[str, Field(pattern=r"^\d+$")], Annotated[float, Field(ge=-100, le=100)]],
    Field(max_length=1024, json_schema_extra={"additionalProperties": False}),
]
TokenIds = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]
