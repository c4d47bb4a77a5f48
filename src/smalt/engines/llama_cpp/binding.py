"""The one place that imports `xllamacpp`, which has no types of its own."""

import importlib
from typing import Any

from smalt.core.errors import MissingExtra


def xllamacpp() -> Any:
    """The module `xllamacpp`; raises `MissingExtra` when it is not installed."""
    try:
        return importlib.import_module("xllamacpp")
    except ImportError as error:
        raise MissingExtra("xllamacpp", extra="local") from error
