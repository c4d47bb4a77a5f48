"""The wire vocabulary of vector stores."""

from typing import Literal

from smalt.schemas.wire import Request


class ComparisonFilter(Request):
    """Compares one attribute with a value."""

    type: Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"]
    key: str
    value: str | float | bool | list[str | float]


class CompoundFilter(Request):
    """Joins filters, which may be compound themselves."""

    type: Literal["and", "or"]
    filters: list["ComparisonFilter | CompoundFilter"]
