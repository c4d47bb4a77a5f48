"""One page of a list, as every stored kind of object gives it."""

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

T = TypeVar("T")

Order = Literal["asc", "desc"]


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A slice of a list, and whether the list goes on behind it."""

    items: list[T]
    has_more: bool
