"""Writes what a run brought: a table with a line for each row, and the files that results hold."""

import csv
import os
from base64 import b64decode
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from mimetypes import guess_extension
from pathlib import Path
from secrets import token_hex
from typing import IO, Any, Final, Protocol, cast

import orjson

from smalt.core.errors import InvalidRequest
from smalt.store.connector_run_rows import EndedRow

CONTENT: Final = "$content"
CONTENT_TYPE: Final = "$content-type"
PICTURE: Final = "b64_json"
OUR_COLUMNS: Final = ("status", "error")
FORMATS: Final = (".csv", ".tsv", ".jsonl", ".ndjson")
BESIDE: Final = "result."
ENDINGS: Final = {"audio/mpeg": ".mp3", "audio/wav": ".wav", "audio/x-wav": ".wav", "audio/opus": ".opus"}
SIGNATURES: Final = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"RIFF": ".webp"}


class Rows(Protocol):
    """Gives the rows of a run, from the first, as often as it is asked."""

    def __call__(self) -> Iterable[EndedRow]:
        """The rows in their order."""
        ...


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of the rows themselves, then ours: a result's field under its name in the table."""

    own: Sequence[str]
    fields: Mapping[str, str]
    status: str
    error: str

    @property
    def names(self) -> list[str]:
        """Every column, in order."""
        return [*self.own, *self.fields.values(), self.status, self.error]


def check_format(path: Path) -> None:
    """Refuse a name whose ending is none of a table."""
    if path.suffix.lower() not in FORMATS:
        raise InvalidRequest(f"{path.name} says no format of a table. End it with one of {', '.join(FORMATS)}.")


def write_table(path: Path, own: Sequence[str], rows: Rows, files: Path | None = None) -> None:
    """Write a line for each row: its own columns, its result's fields, how it ended; the whole table or nothing.

    With `files`, what results hold of files goes into that folder, and its name stands in the table.
    """
    check_format(path)
    columns = columns_of(own, rows())
    lines = (line_of(columns, row, files) for row in rows())
    with replacing(path) as target:
        if path.suffix.lower() in (".jsonl", ".ndjson"):
            for line in lines:
                target.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        else:
            delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
            _write_cells(target, columns.names, lines, delimiter)


def columns_of(own: Sequence[str], rows: Iterable[EndedRow]) -> Columns:
    """The columns of a table; what the rows have a column for already gets a name of its own."""
    taken = set(own)

    def free(name: str) -> str:
        while name in taken:
            name = BESIDE + name
        taken.add(name)
        return name

    names = dict.fromkeys(name for row in rows for name in flat(_result(row)))
    fields = {name: free(name) for name in names}
    status, error = (free(name) for name in OUR_COLUMNS)
    return Columns(own, fields, status, error)


def flat(value: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """The fields of an object and of the objects in it, by paths with dots; a list of one object counts as that."""
    found: dict[str, Any] = {}
    for name, listed in value.items():
        inner = _alone(listed)
        if isinstance(inner, dict) and inner:
            found |= flat(cast("dict[str, Any]", inner), f"{before}{name}.")
        else:
            found[before + name] = inner
    return found


def _alone(value: Any) -> Any:
    """The one object of a list: the documents' paths go through lists without a mark."""
    items: Any = cast("list[Any]", value) if isinstance(value, list) else []
    is_alone = len(items) == 1 and isinstance(items[0], dict)
    return items[0] if is_alone else cast("Any", value)


def with_files(result: Any, folder: Path, stem: str) -> Any:
    """The result with the names of files where it held their content; they are written into the folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidRequest(f"The folder {folder} cannot be made: {error.strerror or error}.") from error
    written: list[Path] = []

    def keep(content: bytes, ending: str) -> str:
        path = folder / f"{stem}{f'-{len(written) + 1}' if written else ''}{ending}"
        with replacing(path) as target:
            target.write(content)
        written.append(path)
        return str(path)

    return _without_content(result, keep)


def content_of(result: Mapping[str, Any]) -> bytes | None:
    """The bytes of a result that is a file."""
    return _decoded(result.get(CONTENT))


@contextmanager
def replacing(path: Path) -> Generator[IO[bytes]]:
    """A file to be written, which takes its place when the block has ended well."""
    try:
        if path.exists() and not path.is_file():
            # A pipe, a terminal or /dev/null is written to; a file in its place would be the end of it.
            with path.open("wb") as target:
                yield target
            return
        with _taking_place_of(path.resolve()) as target:
            yield target
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be written: {error.strerror or error}.") from error


@contextmanager
def _taking_place_of(path: Path) -> Generator[IO[bytes]]:
    # Two who write one table at once do not write into each other's.
    part = path.with_name(f".{path.name}.{token_hex(4)}.part")
    try:
        with part.open("wb") as target:
            yield target
            target.flush()
            os.fsync(target.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def line_of(columns: Columns, row: EndedRow, files: Path | None) -> dict[str, Any]:
    """A row as the table has it."""
    result = _result(row)
    if files is not None:
        result = with_files(result, files, f"row-{row.position + 1:05}")
    fields = {columns.fields[name]: value for name, value in flat(result).items() if name in columns.fields}
    own = {name: row.input.get(name) for name in columns.own}
    return {**own, **fields, columns.status: row.status, columns.error: row.error}


def _write_cells(target: IO[bytes], names: Sequence[str], lines: Iterable[Mapping[str, Any]], delimiter: str) -> None:
    class Utf8:
        def write(self, text: str) -> None:
            target.write(text.encode(errors="replace"))

    writer = csv.writer(Utf8(), delimiter=delimiter)
    writer.writerow(names)
    for line in lines:
        writer.writerow([_cell(line.get(name)) for name in names])


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _result(row: EndedRow) -> dict[str, Any]:
    return {} if row.result is None else orjson.loads(row.result)


def _without_content(value: Any, keep: Callable[[bytes, str], str]) -> Any:
    if isinstance(value, list):
        return [_without_content(item, keep) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    fields = cast("dict[str, Any]", value)
    kept = {name: _without_content(inner, keep) for name, inner in fields.items()}
    if (content := _decoded(fields.get(CONTENT))) is not None:
        kept[CONTENT] = keep(content, ending_of(str(fields.get(CONTENT_TYPE, ""))))
    if (picture := _decoded(fields.get(PICTURE))) is not None:
        kept[PICTURE] = keep(picture, next((end for sign, end in SIGNATURES.items() if picture.startswith(sign)), ""))
    return kept


def _decoded(content: Any) -> bytes | None:
    """The bytes that a text stands for; None for what is no base64, which stays as it is."""
    try:
        # Some break it into lines.
        return b64decode("".join(content.splitlines()), validate=True) if isinstance(content, str) else None
    except ValueError:
        return None


def ending_of(content_type: str) -> str:
    """How the name of a file of this type ends."""
    kind = content_type.partition(";")[0].strip().lower()
    return ENDINGS.get(kind) or guess_extension(kind) or ".bin"
