"""Every command of `smalt`, and the options before it."""

import typer

from smalt.cli import bench, blocklists, connections, connectors, jobs, keys, models, prompts, protected
from smalt.cli.chat import chat
from smalt.cli.doctor import doctor
from smalt.cli.migrate import migrate
from smalt.cli.moderate import moderate
from smalt.cli.options import ConfigOption, use_config
from smalt.cli.serve import serve
from smalt.cli.speak import speak
from smalt.cli.transcribe import transcribe
from smalt.cli.usage import usage

app = typer.Typer(
    name="smalt",
    help="The Azure OpenAI API on your own machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def before(config: ConfigOption = None) -> None:
    """The Azure OpenAI API on your own machine."""
    use_config(config)


app.command()(serve)
app.command()(chat)
app.command()(transcribe)
app.command()(speak)
app.command()(moderate)
app.add_typer(models.app, name="models")
app.add_typer(keys.app, name="keys")
app.add_typer(jobs.app, name="jobs")
app.add_typer(prompts.app, name="prompts")
app.add_typer(blocklists.app, name="blocklists")
app.add_typer(protected.app, name="protected")
app.add_typer(connections.app, name="connections")
app.add_typer(connectors.app, name="connectors")
app.command()(usage)
app.command()(doctor)
app.command()(migrate)
app.add_typer(bench.app, name="bench")


@app.command()
def version() -> None:
    """Print the version."""
    from smalt import __version__

    typer.echo(f"smalt {__version__}")
