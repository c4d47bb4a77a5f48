"""`smalt speak`: a text as speech, by a running server."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smalt.cli.options import ConfigOption, KeyOption, UrlOption, refuse

if TYPE_CHECKING:
    from smalt.cli.server_client import ServerClient

FORMATS = {
    ".mp3": "mp3",
    ".opus": "opus",
    ".ogg": "opus",
    ".aac": "aac",
    ".flac": "flac",
    ".wav": "wav",
    ".pcm": "pcm",
}


def speak(  # noqa: PLR0913 - each is an option
    text: Annotated[str, typer.Argument(help="What to say; - reads it from standard input.")],
    *,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The file to write; standard output when absent.")
    ] = None,
    voice: Annotated[str, typer.Option(help="Who speaks.")] = "alloy",
    speed: Annotated[float, typer.Option(min=0.25, max=4.0, help="How fast; 1 is as the voice speaks.")] = 1.0,
    format: Annotated[  # noqa: A002 - --format
        str | None, typer.Option(help="mp3, opus, aac, flac, wav or pcm; by the file's name when absent, else mp3.")
    ] = None,
    model: Annotated[str, typer.Option(help="The model that speaks.")] = "tts-1",
    url: UrlOption = None,
    key: KeyOption = None,
    config: ConfigOption = None,
) -> None:
    """Say a text into a file, or to a program that plays it: smalt speak Hello | ffplay -nodisp -."""
    from smalt.cli.server_client import connected
    from smalt.cli.writing import to_file, to_standard_output

    chosen = _format(format, output)
    if output is None and sys.stdout.isatty():
        refuse("Sound cannot be shown on a terminal: name a file with -o, or send it to a program that plays it.")
    said = sys.stdin.read() if text == "-" else text
    body = {"model": model, "input": said, "voice": voice, "speed": speed, "response_format": chosen}
    with connected(url, key, config) as server:
        made = _sound(server, body)
        if output is None:
            to_standard_output(made, "Speaking")
        else:
            to_file(made, output, "Speaking")


def _sound(server: "ServerClient", body: dict[str, str | float]) -> Iterator[bytes]:
    from smalt.cli.server_client import pieces

    with server.post("/audio/speech", json.dumps(body).encode(), "application/json") as answer:
        yield from pieces(answer)


def _format(named: str | None, output: Path | None) -> str:
    if named is not None:
        if named not in FORMATS.values():
            refuse(f"--format: there is no '{named}'. Choose one of: {', '.join(dict.fromkeys(FORMATS.values()))}.")
        return named
    if output is None:
        return "mp3"
    found = FORMATS.get(output.suffix.lower())
    if found is None:
        refuse(f"{output}: name a format with --format, or end the name in one of: {', '.join(FORMATS)}.")
    return found
