"""`smalt prompts`: keeps the prompt templates that requests for responses name."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smalt.cli.opening import open_database
from smalt.cli.options import ConfigOption, JsonOption, read_settings
from smalt.cli.showing import moment, show_json, show_table

if TYPE_CHECKING:
    from pathlib import Path

    from smalt.store.prompts import Prompts, PromptVersion

app = typer.Typer(no_args_is_help=True, help="Keep prompt templates, in versions that count up.")

PromptName = Annotated[str, typer.Argument(metavar="NAME|ID", help="The prompt's name or id.")]
ProjectOption = Annotated[str, typer.Option(help="The project whose requests see the prompt.")]


@app.command()
def add(
    prompt: PromptName,
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE",
            help="A text with the instructions; a .toml or .json file with all of it; - is standard input.",
        ),
    ] = None,
    *,
    instructions: Annotated[str | None, typer.Option(help="The instructions, instead of a file with them.")] = None,
    message: Annotated[
        list[str] | None,
        typer.Option(metavar="ROLE=TEXT", help="A message that comes before a request's input; may be repeated."),
    ] = None,
    default: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD=VALUE", help="A field that holds where a request leaves it out; may be repeated."),
    ] = None,
    project: ProjectOption = "default",
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Make a prompt, or the next version of one; {{name}} in its texts is a place for a variable."""
    from smalt.cli.prompt_files import read_template

    new = read_template(file, instructions, message or [], default or [])
    made = _with_prompts(config, lambda prompts: prompts.add(project, prompt, new))
    if json:
        show_json(_described(made))
        return
    typer.echo(made.id)
    typer.echo(f"This is version {made.version} of the prompt '{made.name}' of project '{made.project}'.", err=True)


@app.command("list")
def list_prompts(
    *,
    project: Annotated[str | None, typer.Option(help="Only prompts of this project.")] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show the prompts with their versions."""
    from dataclasses import asdict

    found = _with_prompts(config, lambda prompts: prompts.list(project))
    if json:
        show_json([asdict(prompt) for prompt in found])
        return
    rows = [(one.name, one.project, moment(one.created_at), ", ".join(one.versions), one.id) for one in found]
    show_table(["name", "project", "created", "versions", "id"], rows)


@app.command()
def show(
    prompt: PromptName,
    *,
    version: Annotated[str | None, typer.Option(help="Its version; the newest if absent.")] = None,
    project: ProjectOption = "default",
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show what a prompt says and which variables it has."""
    found = _with_prompts(config, lambda prompts: prompts.get(project, prompt, version))
    described = _described(found)
    if json:
        show_json(described)
        return
    show_table(["", ""], [(name.replace("_", " "), _cell(name, value)) for name, value in described.items()])


@app.command()
def rm(
    prompt: PromptName,
    *,
    version: Annotated[str | None, typer.Option(help="Only this version.")] = None,
    project: ProjectOption = "default",
    config: ConfigOption = None,
) -> None:
    """Remove a prompt, or one version of it; responses that were made with it stay as they are."""
    found = _with_prompts(config, lambda prompts: prompts.remove(project, prompt, version))
    what = "the prompt" if version is None else f"version {version} of the prompt"
    typer.echo(f"Removed {what} '{found.name}' of project '{project}' ({found.id}).")


def _with_prompts(config: "Path | None", work: "Callable[[Prompts], Awaitable[Any]]") -> Any:
    from smalt.store.prompts import Prompts

    async def run() -> Any:
        async with open_database(read_settings(config)) as database:
            return await work(Prompts(database))

    return asyncio.run(run())


def _described(prompt: "PromptVersion") -> dict[str, Any]:
    """A version with the names of its variables."""
    from dataclasses import asdict

    from smalt.api.responses.templates import names_in

    return {**asdict(prompt), "variables": sorted(names_in(prompt.instructions, prompt.messages))}


def _cell(name: str, value: Any) -> str:
    if name.endswith("_at"):
        return moment(value)
    if name == "messages":
        return "\n".join(f"{one['role']}: {_text(one['content'])}" for one in value) or "-"
    if isinstance(value, dict):
        return _text(value) if value else "-"
    if name == "variables":
        return ", ".join(value) or "-"
    return "-" if value is None else str(value)


def _text(value: Any) -> str:
    from json import dumps

    return value if isinstance(value, str) else dumps(value, ensure_ascii=False)
