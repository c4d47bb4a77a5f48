"""`smalt transcribe`: what is said in recordings, by a running server."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smalt.cli.options import ConfigOption, KeyOption, UrlOption, refuse

if TYPE_CHECKING:
    from smalt.cli.hearing import Hearing

SUFFIXES = {
    "text": ".txt",
    "json": ".json",
    "srt": ".srt",
    "vtt": ".vtt",
    "verbose_json": ".json",
    "diarized_json": ".json",
}
STANDARD_INPUT = Path("-")
WAIT_SECONDS = 24 * 3600
"""A whole transcript comes when all was heard; the server says by itself when a recording hangs."""

Files = Annotated[list[Path], typer.Argument(help="Recordings (flac, mp3, mp4, m4a, ogg, wav, webm …); - reads one.")]


def transcribe(  # noqa: PLR0913 - each is an option
    files: Files,
    *,
    format: Annotated[str, typer.Option(help=f"One of {', '.join(SUFFIXES)}.")] = "text",  # noqa: A002 - --format
    language: Annotated[str | None, typer.Option(help="What is spoken, as de or en; found out when absent.")] = None,
    words: Annotated[bool, typer.Option("--words", help="The times of words too, as verbose_json.")] = False,
    translate: Annotated[bool, typer.Option("--translate", help="Write English, whatever is spoken.")] = False,
    prompt: Annotated[str | None, typer.Option(help="Names and words that the recording may have.")] = None,
    model: Annotated[str, typer.Option(help="The model that hears.")] = "whisper-1",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Where to write: a file, or a folder for many recordings.")
    ] = None,
    url: UrlOption = None,
    key: KeyOption = None,
    config: ConfigOption = None,
) -> None:
    """Write down what is said in recordings; text is printed as it is heard."""
    from smalt.cli.hearing import Hearing
    from smalt.cli.server_client import connected

    chosen = _format(format, words=words)
    places = _places(files, output, chosen)
    with connected(url, key, config, wait_seconds=WAIT_SECONDS) as server:
        hearing = Hearing(
            server, model=model, format=chosen, language=language, words=words, translate=translate, prompt=prompt
        )
        for file, place in zip(files, places, strict=True):
            if place is None and len(files) > 1:
                typer.echo(f"{file}:")
            _transcribe(hearing, file, place)


def _format(named: str, *, words: bool) -> str:
    if named not in SUFFIXES:
        refuse(f"--format: there is no '{named}'. Choose one of: {', '.join(SUFFIXES)}.")
    if words and named not in {"text", "verbose_json"}:
        refuse(f"--words: the format {named} has no words with times. Leave --format out, or say verbose_json.")
    return "verbose_json" if words else named


def _places(files: list[Path], output: Path | None, format_: str) -> list[Path | None]:
    """Where each transcript goes; None is standard output."""
    for file in files:
        if file != STANDARD_INPUT and not file.is_file():
            refuse(f"There is no file {file}.")
    if output is None:
        if len(files) > 1 and format_ != "text":
            refuse(f"Several files as {format_} do not go into one stream: name a folder for them with -o.")
        return [None] * len(files)
    if len(files) == 1 and not output.is_dir():
        return [output]
    return _places_in(output, files, format_)


def _places_in(folder: Path, files: list[Path], format_: str) -> list[Path | None]:
    if not folder.is_dir():
        refuse(f"{folder} is no folder; several transcripts need one. Make it with: mkdir {folder}")
    stems = ["recording" if file == STANDARD_INPUT else file.stem for file in files]
    if len(set(stems)) < len(stems):
        refuse(f"Two of the recordings would be written to one file in {folder}. Name them one by one.")
    return [folder / f"{stem}{SUFFIXES[format_]}" for stem in stems]


def _transcribe(hearing: "Hearing", file: Path, place: Path | None) -> None:
    from smalt.cli.writing import to_file, to_standard_output

    is_input = file == STANDARD_INPUT
    content = sys.stdin.buffer.read() if is_input else file.read_bytes()
    name = "recording" if is_input else file.name
    made = hearing.transcript(content, name)
    if place is None:
        to_standard_output(made, f"Hearing {name}")
    else:
        to_file(made, place, f"Hearing {name}")
