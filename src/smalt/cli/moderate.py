"""`smalt moderate`: what is harmful in a text or a picture, by a running server."""

import base64
import json as json_format
import mimetypes
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from smalt.cli.options import ConfigOption, JsonOption, KeyOption, UrlOption, refuse

STANDARD_INPUT = "-"


def moderate(
    text: Annotated[str | None, typer.Argument(help="What to judge; - reads it from standard input.")] = None,
    *,
    file: Annotated[Path | None, typer.Option(metavar="FILE", help="Judge the text of this file.")] = None,
    image: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Judge this picture (PNG, JPEG, WebP, GIF), with the text or alone."),
    ] = None,
    model: Annotated[str, typer.Option(help="The model that judges.")] = "omni-moderation-latest",
    json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
    config: ConfigOption = None,
) -> None:
    """Tell what is harmful in a text or a picture: the score of each category, and what is flagged."""
    from smalt.cli.server_client import connected
    from smalt.cli.showing import show_json

    body = {"model": model, "input": _input(_text(text, file), image)}
    with (
        connected(url, key, config) as server,
        server.post("/moderations", json_format.dumps(body).encode(), "application/json") as answer,
    ):
        found = json_format.load(answer)
    if json:
        show_json(found)
    else:
        _show(found["results"][0])


def _text(text: str | None, file: Path | None) -> str | None:
    """What is to be judged; the words of the command, of standard input or of a file."""
    if text is not None and file is not None:
        refuse("Give a text, or a file with --file, not both.")
    if text == STANDARD_INPUT:
        return sys.stdin.read()
    return text if file is None else _present(file).read_text(errors="replace")


def _input(text: str | None, image: Path | None) -> str | list[dict[str, Any]]:
    if image is None:
        if not text:
            refuse('There is nothing to judge. Give a text, --file or --image: smalt moderate "I love you."')
        return text
    kind = mimetypes.guess_type(image.name)[0] or "application/octet-stream"
    picture = f"data:{kind};base64,{base64.b64encode(_present(image).read_bytes()).decode()}"
    parts: list[dict[str, Any]] = [{"type": "text", "text": text}] if text else []
    return [*parts, {"type": "image_url", "image_url": {"url": picture}}]


def _present(file: Path) -> Path:
    if not file.is_file():
        refuse(f"There is no file {file}.")
    return file


def _show(result: dict[str, Any]) -> None:
    from smalt.cli.showing import show_table

    flags: dict[str, bool] = result["categories"]
    scores = sorted(result["category_scores"].items(), key=lambda item: -item[1])
    rows = [(name, f"{score:.4f}", "flagged" if flags[name] else "") for name, score in scores]
    show_table(["category", "score", ""], rows)
