"""`smalt serve`: from an empty folder to a server that answers, and back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smalt.cli.options import ConfigOption, read_settings

if TYPE_CHECKING:
    from smalt.core.settings import Settings

INTERRUPTED = 130


def serve(
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="API processes; they share the models.")] = None,
    no_auth: Annotated[bool, typer.Option("--no-auth", help="Ask for no key; on loopback addresses only.")] = False,
    config: ConfigOption = None,
) -> None:
    """Serve until Ctrl-C. The first start makes a key, shows it, and fetches the starter models."""
    import gc

    # Starting makes a hundred thousand objects that stay; looking through them for garbage costs a tenth of the start.
    gc.disable()
    from smalt.cli.serving import run

    settings = _settings(config, host=host, port=port, workers=workers, no_auth=no_auth)
    try:
        run(settings)
    except KeyboardInterrupt:
        typer.echo("Stopped before it was ready. The next start goes on from there.", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _settings(config: Path | None, *, no_auth: bool, **server: Any) -> "Settings":
    overrides: dict[str, Any] = {}
    if given := {name: value for name, value in server.items() if value is not None}:
        overrides["server"] = given
    if no_auth:
        overrides["auth"] = {"enabled": False}
    return read_settings(config, **overrides)
