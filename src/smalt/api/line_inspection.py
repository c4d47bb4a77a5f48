"""Looks through JSONL files line by line, and says on which lines there are faults and which."""

import asyncio
import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import orjson

from smalt.api.line_rules import RULES, Json, LineRules

MOST_FAULTS = 10


async def faults(path: Path, purpose: str, *, longest_line: int) -> str | None:
    """What is wrong with the file of this purpose, a line for each of the first faults; None when nothing is.

    A file for which no form is prescribed has no faults.
    """
    make_rules = RULES.get(purpose)
    return None if make_rules is None else await asyncio.to_thread(_inspect, path, make_rules(), longest_line)


def _inspect(path: Path, rules: LineRules, longest_line: int) -> str | None:
    told: list[str] = []
    with path.open("rb") as file:
        for number, fault in _faults(file, rules, longest_line):
            if len(told) == MOST_FAULTS:
                told.append("There are more faults after these.")
                break
            told.append(f"Line {number}: {fault}." if number else f"{fault}.")
    return "\n".join(told) or None


def _faults(file: BinaryIO, rules: LineRules, longest_line: int) -> Iterator[tuple[int, str]]:
    """Each fault with the number of its line; empty lines at the end of the file are none."""
    empty: list[int] = []
    number = 0
    is_any = False
    for number, line in enumerate(_lines(file, longest_line), 1):
        if line is not None and not line.strip():
            # Only so many can be told of, and an endless run of them must not fill the memory.
            empty[MOST_FAULTS:] = [number]
            continue
        yield from ((one, "the line is empty") for one in empty)
        empty, is_any = [], True
        fault = f"the line has more than {longest_line} bytes" if line is None else _fault(line, rules)
        if fault is not None:
            yield number, fault
    if not is_any:
        yield 0, "The file has no lines: it must have one JSON object on each line"


def _lines(file: BinaryIO, longest: int) -> Iterator[bytes | None]:
    """The lines without their ends and without a byte order mark; None in the place of one that is too long."""
    if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
        file.seek(0)
    while line := file.readline(longest + 2):
        kept = line.rstrip(b"\r\n")
        yield kept if len(kept) <= longest else None
        while line and not line.endswith(b"\n"):
            line = file.readline(longest)


def _fault(line: bytes, rules: LineRules) -> str | None:
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return f"byte {error.start + 1} is not UTF-8"
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return f"this is not JSON: {error.msg}, at character {error.colno}"
    return rules.fault(cast("Json", value)) if isinstance(value, dict) else "there must be a JSON object"
