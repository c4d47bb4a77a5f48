"""Options that several commands share, and the settings they lead to."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from pydantic import ValidationError

    from smalt.core.settings import Settings

VARIABLE = "SMALT_CONFIG"
KEY_VARIABLE = "SMALT_API_KEY"
USAGE_ERROR = 2

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Settings file to read instead of ./smalt.toml."),
]
UrlOption = Annotated[str | None, typer.Option(help="The server's /openai/v1 address; the settings' one if absent.")]
KeyOption = Annotated[str | None, typer.Option(envvar=KEY_VARIABLE, help="An API key of the server.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def use_config(config: Path | None) -> None:
    """Let this process, and those it starts, read their settings from `config`."""
    if config is not None:
        os.environ[VARIABLE] = str(config.absolute())


def read_settings(config: Path | None = None, **overrides: Any) -> "Settings":
    """Read the settings; faults are printed one a line and end the program with exit code 2."""
    use_config(config)
    named = os.environ.get(VARIABLE)
    if named is not None and not Path(named).is_file():
        refuse(f"There is no settings file {named}. Check --config or {VARIABLE}.")

    import tomllib

    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from smalt.core.settings import load_settings

    try:
        return load_settings(**overrides)
    except ValidationError as error:
        refuse("The settings are wrong:", *(f"  {line}" for line in faults(error)))
    except tomllib.TOMLDecodeError as error:
        refuse(f"{named or 'smalt.toml'} is not TOML: {error}")
    except SettingsError as error:
        refuse(f"The settings are wrong: {error}")


def refuse(*lines: str) -> NoReturn:
    """Say what is wrong with the command or its settings, and end the program with exit code 2."""
    for line in lines:
        typer.echo(line, err=True)
    raise typer.Exit(USAGE_ERROR)


def faults(error: "ValidationError") -> list[str]:
    """One line for each field at fault: its name, what is wrong with it, and the value unless it is secret."""
    return [_fault(item) for item in error.errors(include_url=False, include_context=False)]


def _fault(item: Any) -> str:
    field = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        return f"{field}: there is no such setting"
    problem = item["msg"].removeprefix("Value error, ")
    shown = ""
    if field and "key" not in field and isinstance(item["input"], str | int | float | bool):
        shown = f" (it is {item['input']!r})"
    return f"{field}: {problem}{shown}" if field else problem
