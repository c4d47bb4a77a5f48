"""`smalt connectors export`: writes connectors as other products import them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from smalt.connectors.definitions.vocabulary import Connector
    from smalt.connectors.exports.destination import Destination

LOCAL = "http://127.0.0.1:8080"
LOOPBACK = ("http://127.", "http://localhost", "https://127.", "https://localhost")

app = typer.Typer(help="Write connectors as Power Platform, Make, Fusion or any client imports them.")

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write to; made if need be.")]
Names = Annotated[
    list[str] | None, typer.Option("--connector", metavar="NAME", help="One of the connectors; may be repeated.")
]
Url = Annotated[str, typer.Option(metavar="URL", help="Where your Smalt is, as the importing product reaches it.")]
Cloud = Annotated[bool, typer.Option("--cloud", help="Call the services themselves (OpenAI, Azure) instead.")]


@app.command("power-platform")
def export_power_platform(
    directory: Folder, *, connector: Names = None, url: Url = LOCAL, cloud: Cloud = False
) -> None:
    """Write a folder for each connector: definition, properties, icon and settings."""
    from smalt.connectors.exports.power_platform import power_platform
    from smalt.connectors.exports.writing import write

    for each in _chosen(connector):
        write(directory / each.name, power_platform(each, _destination(each, url, cloud=cloud)))
        typer.echo(f"Wrote {directory / each.name}. Import it with: paconn create -s settings.json, in that folder.")
    _remark(url, cloud=cloud)


@app.command("fusion")
def export_fusion(directory: Folder, *, connector: Names = None, url: Url = LOCAL, cloud: Cloud = False) -> None:
    """Write a folder for each connector as a custom app; only fusion-openai unless others are named."""
    from smalt.connectors.exports.fusion import fusion
    from smalt.connectors.exports.writing import write

    for each in _chosen(connector or ["fusion-openai"]):
        write(directory / each.name, fusion(each, _destination(each, url, cloud=cloud)))
        typer.echo(f"Wrote {directory / each.name}. Deploy its makecomapp.json with the Make Apps Editor.")
    _remark(url, cloud=cloud)


@app.command("openapi")
def export_openapi(directory: Folder, *, connector: Names = None, url: Url = LOCAL) -> None:
    """Write one OpenAPI 3.1 document of all connectors, as your Smalt serves them."""
    from smalt.connectors.exports.openapi import openapi
    from smalt.connectors.exports.writing import write

    write(directory, {"openapi.json": openapi(_chosen(connector), url)})
    typer.echo(f"Wrote {directory / 'openapi.json'}.")


def _chosen(names: Sequence[str] | None) -> "Sequence[Connector]":
    from smalt.connectors.definitions.registry import connector, connectors

    return [connector(name) for name in names] if names else connectors()


def _destination(connector: "Connector", url: str, *, cloud: bool) -> "Destination":
    from smalt.connectors.exports.destination import in_the_cloud, on_smalt

    return in_the_cloud(connector) if cloud else on_smalt(connector, url)


def _remark(url: str, *, cloud: bool) -> None:
    if not cloud and url.startswith(LOOPBACK):
        typer.echo(
            f"{url} is this machine only. If the flows run elsewhere, say where they reach your Smalt: --url URL.",
            err=True,
        )
