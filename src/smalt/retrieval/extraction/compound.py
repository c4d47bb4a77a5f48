"""Opens compound files, which old Office programs made, and new ones make of what they encrypt."""

from pathlib import Path
from typing import Any

from smalt.core.errors import MissingExtra


def open_compound(path: Path) -> Any:
    """An open compound file of the library `olefile`; raises `OSError` or `ValueError` for one that is damaged."""
    try:
        import olefile
    except ModuleNotFoundError as error:
        raise MissingExtra("olefile", extra="local") from error
    kind: Any = olefile.OleFileIO
    return kind(str(path))
