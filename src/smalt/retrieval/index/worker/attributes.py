"""Attributes of files as columns, so that a filter is a few operations on whole columns."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalt.retrieval.protocols import Filter
from smalt.schemas.vector_stores import ComparisonFilter

Truths = NDArray[np.bool_]
COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "gt": np.greater,
    "gte": np.greater_equal,
    "lt": np.less,
    "lte": np.less_equal,
}


class Column:
    """One attribute of every file: a number, a string or a truth; what is missing equals nothing."""

    def __init__(self, values: Sequence[Any]) -> None:
        kinds = [_kind(value) for value in values]
        self._is_number = np.array([kind == "number" for kind in kinds], bool)
        self._is_string = np.array([kind == "string" for kind in kinds], bool)
        self._is_truth = np.array([kind == "truth" for kind in kinds], bool)
        numbers = [value if kind == "number" else 0 for kind, value in zip(kinds, values, strict=True)]
        self._numbers = np.array(numbers, np.float64)
        self._strings = np.array(
            [value if kind == "string" else "" for kind, value in zip(kinds, values, strict=True)], np.dtype("O")
        )
        self._truths = np.array([value is True for value in values], bool)

    def equals(self, value: Any) -> Truths:
        """Where the attribute has this value; 1 is not true, and "1" is not 1."""
        kind = _kind(value)
        if kind == "truth":
            return self._is_truth & (self._truths == value)
        if kind == "number":
            return self._is_number & (self._numbers == value)
        return self._is_string & (self._strings == value).astype(bool)

    def compares(self, comparison: str, value: Any) -> Truths:
        """Where the attribute is of the value's kind and on this side of it; strings go by code points."""
        kind = _kind(value)
        if kind == "number":
            return self._is_number & COMPARE[comparison](self._numbers, value)
        if kind == "string":
            return self._is_string & COMPARE[comparison](self._strings, value).astype(bool)
        return np.zeros(len(self._numbers), bool)


class Columns:
    """Columns of a table of files, made when a filter first names them."""

    def __init__(self, attributes: Sequence[Mapping[str, Any]]) -> None:
        self._attributes = attributes
        self._columns: dict[str, Column] = {}

    def matches(self, filter_: Filter) -> Truths:
        """Which files a filter lets through."""
        if isinstance(filter_, ComparisonFilter):
            return self._compares(filter_)
        join = np.logical_and if filter_.type == "and" else np.logical_or
        return join.reduce([self.matches(one) for one in filter_.filters])

    def _compares(self, filter_: ComparisonFilter) -> Truths:
        column = self._column(filter_.key)
        values = filter_.value if isinstance(filter_.value, list) else [filter_.value]
        if filter_.type in COMPARE:
            return column.compares(filter_.type, filter_.value)
        equal = np.zeros(len(self._attributes), bool)
        for value in values:
            equal |= column.equals(value)
        # A file without the attribute differs from every value.
        return ~equal if filter_.type in {"ne", "nin"} else equal

    def _column(self, key: str) -> Column:
        if key not in self._columns:
            self._columns[key] = Column([one.get(key) for one in self._attributes])
        return self._columns[key]


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, (int, float)):
        return "number"
    return "string" if isinstance(value, str) else "none"
