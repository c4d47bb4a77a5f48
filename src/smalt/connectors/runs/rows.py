"""Reads tables of rows: CSV, spreadsheets and JSON lines."""

import csv
import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

import orjson

from smalt.core.errors import InvalidRequest
from smalt.store.connector_runs import NewRow

DELIMITERS: Final = (",", ";", "\t")
LONGEST_FIELD: Final = 2**30
LARGEST: Final = 2**63
"""Whole numbers are smaller in JSON; a spreadsheet's larger ones stay what they are there, floats."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows and their columns' names."""

    columns: Sequence[str]
    rows: Sequence[NewRow]


def read_table(path: Path, sheet: str | None = None) -> Table:
    """The rows of a file, by the ending of its name; raises `InvalidRequest` when it cannot be read.

    A row that is wrong by itself has a fault. Rows without anything in them are left out.
    """
    read = READERS.get(path.suffix.lower())
    if read is None:
        raise InvalidRequest(f"{path.name} is no table that is read here. Give one of {', '.join(READERS)}.")
    if sheet is not None and read is not _spreadsheet:
        raise InvalidRequest(f"{path.name} has no sheets. Leave --sheet out.")
    try:
        table = _spreadsheet(path, sheet) if read is _spreadsheet else read(path)
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror or error}.") from error
    if not table.rows:
        raise InvalidRequest(f"{path.name} has no rows.")
    return table


def _separated(path: Path) -> Table:
    csv.field_size_limit(LONGEST_FIELD)
    text = _text(path)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else _delimiter(text.partition("\n")[0])
    try:
        lines = list(csv.reader(StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise InvalidRequest(f"{path.name} is not a table that can be read: {error}.") from error
    return _of_cells(path, lines)


def _text(path: Path) -> str:
    content = path.read_bytes()
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise InvalidRequest(
            f"{path.name} is not UTF-8 (byte {error.start}). Save it as 'CSV UTF-8', or as a spreadsheet."
        ) from None


def _delimiter(head: str) -> str:
    """What parts the names of the columns; a comma when nothing does."""
    outside = "".join(head.split('"')[::2])
    return max(DELIMITERS, key=outside.count)


def _spreadsheet(path: Path, sheet: str | None = None) -> Table:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        workbook = CalamineWorkbook.from_path(str(path))  # pyright: ignore[reportUnknownMemberType] - its paths are of any kind
        names = workbook.sheet_names
        if sheet is not None and sheet not in names:
            raise InvalidRequest(f"{path.name} has no sheet '{sheet}'. There are: {', '.join(names)}.")
        cells = workbook.get_sheet_by_name(sheet or names[0]).to_python(skip_empty_area=False)
    except CalamineError as error:
        raise InvalidRequest(f"{path.name} is no spreadsheet that can be read: {error}.") from error
    return _of_cells(path, [[_cell(value) for value in line] for line in cells])


def _cell(value: Any) -> Any:
    """A cell's value as JSON has it."""
    if isinstance(value, float) and value.is_integer() and abs(value) < LARGEST:
        return int(value)
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    return str(value) if isinstance(value, dt.timedelta) else value


def _of_cells(path: Path, lines: Iterable[Sequence[Any]]) -> Table:
    filled = ((number, line) for number, line in enumerate(lines, 1) if any(cell not in ("", None) for cell in line))
    head = next(filled, None)
    if head is None:
        raise InvalidRequest(f"{path.name} is empty.")
    columns = _columns(path, head[1])
    return Table(columns, [_row(columns, number, line) for number, line in filled])


def _columns(path: Path, head: Sequence[Any]) -> list[str]:
    names = [str(name).strip() for name in head]
    while names and not names[-1]:
        names.pop()
    columns = [name or f"column {number}" for number, name in enumerate(names, 1)]
    twice = [name for name in dict.fromkeys(columns) if columns.count(name) > 1]
    if twice:
        raise InvalidRequest(f"{path.name} has two columns of the name '{twice[0]}'. Rename one.")
    return columns


def _row(columns: Sequence[str], number: int, line: Sequence[Any]) -> NewRow:
    beyond = [cell for cell in line[len(columns) :] if cell not in ("", None)]
    values = dict(zip_longest(columns, line[: len(columns)], fillvalue=""))
    fault = f"Row {number} has {len(beyond)} more cells than there are columns." if beyond else None
    return NewRow(values, fault)


def _json_lines(path: Path) -> Table:
    lines = ((number, line) for number, line in enumerate(_text(path).split("\n"), 1) if line.strip())
    rows = [_of_json(number, line) for number, line in lines]
    columns = dict.fromkeys(name for row in rows for name in row.input)
    return Table(list(columns), rows)


def _of_json(number: int, line: str) -> NewRow:
    try:
        value: Any = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return NewRow({}, f"Line {number} is not JSON: {error}.")
    if not isinstance(value, Mapping):
        return NewRow({}, f"Line {number} is not a JSON object.")
    return NewRow(dict(_named(value)))  # pyright: ignore[reportUnknownArgumentType] - any JSON object


def _named(value: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    yield from value.items()


READERS: Final[Mapping[str, Callable[[Path], Table]]] = {
    ".csv": _separated,
    ".tsv": _separated,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".xlsx": _spreadsheet,
    ".xlsm": _spreadsheet,
    ".xlsb": _spreadsheet,
    ".xls": _spreadsheet,
    ".ods": _spreadsheet,
}
