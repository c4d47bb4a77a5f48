"""Writes what a server sends: whole files or none, with a sign of progress on a terminal."""

import os
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.status import Status


class Working:
    """A line that says what is being done and how far it is."""

    def __init__(self, title: str, status: "Status") -> None:
        self._title = title
        self._status = status

    def reached(self, count: int) -> None:
        """Say how many bytes there are by now."""
        self._status.update(f"{self._title} … {count / 1000:,.0f} kB")


@contextmanager
def shown_working(title: str) -> Generator[Working]:
    """Turn a sign on standard error, where that is a terminal, for as long as the block lasts."""
    from rich.console import Console

    with Console(stderr=True).status(f"{title} …") as status:
        yield Working(title, status)


def to_standard_output(made: Iterator[bytes], title: str) -> None:
    """Hand on what comes, at once, with a sign of progress until it does; whoever reads may leave early."""
    with shown_working(title):
        first = next(made, b"")
    try:
        for piece in chain((first,), made):
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        # Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None


def to_file(made: Iterator[bytes], path: Path, title: str) -> None:
    """Write a file whole, or leave what was there before."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as target, shown_working(title) as working:
            for piece in made:
                target.write(piece)
                working.reached(target.tell())
        part.replace(path)
    except OSError as error:
        typer.echo(f"smalt: {path} cannot be written: {error.strerror or error}.", err=True)
        raise typer.Exit(1) from error
    finally:
        part.unlink(missing_ok=True)
