"""`smalt connectors`: shows what connectors can do, and does it, once or for every row of a table."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from smalt.cli import connectors_export, connectors_run, connectors_runs
from smalt.cli.connectors_completion import complete_action, complete_connector
from smalt.cli.options import JsonOption
from smalt.cli.showing import show_json, show_table

if TYPE_CHECKING:
    from smalt.connectors.definitions.vocabulary import Action, Connector, Parameter

app = typer.Typer(help="Connectors: actions of OpenAI, Azure OpenAI and Fusion, run from here.", no_args_is_help=True)
app.command()(connectors_run.run)
app.command()(connectors_runs.runs)
app.command()(connectors_runs.resume)
app.command()(connectors_runs.results)
app.command()(connectors_runs.forget)
app.add_typer(connectors_export.app, name="export")


@app.command("list")
def list_connectors(*, json: JsonOption = False) -> None:
    """Show the connectors and what they can do."""
    from smalt.connectors.definitions.registry import connectors

    if json:
        show_json(
            [
                {"name": one.name, "title": one.title, "actions": [_brief(each) for each in one.actions]}
                for one in connectors()
            ]
        )
        return
    rows = [(one.name, each.name, _title(each)) for one in connectors() for each in one.actions]
    show_table(["connector", "action", ""], rows)


@app.command()
def show(
    connector: Annotated[str, typer.Argument(help="The connector.", autocompletion=complete_connector)],
    action: Annotated[str | None, typer.Argument(help="One of its actions.", autocompletion=complete_action)] = None,
    *,
    json: JsonOption = False,
) -> None:
    """Show a connector, or one of its actions with its parameters and results."""
    from smalt.connectors.definitions import registry

    chosen = registry.connector(connector)
    if action is None:
        _show_connector(chosen, json=json)
    else:
        _show_action(registry.action(chosen, action), json=json)


def _show_connector(connector: "Connector", *, json: bool) -> None:
    from dataclasses import asdict

    if json:
        show_json(asdict(connector))
        return
    typer.echo(f"{connector.title}\n{connector.description}")
    typer.echo(f"At most {connector.throttle.calls:,} calls in {connector.throttle.seconds} seconds a connection.")
    show_table(["action", ""], [(each.name, _title(each)) for each in connector.actions])
    kinds = [(kind.name, kind.title, ", ".join(field.key for field in kind.fields)) for kind in connector.connections]
    show_table(["connection", "", "asks for"], kinds)


def _show_action(action: "Action", *, json: bool) -> None:
    from dataclasses import asdict

    if json:
        show_json(asdict(action))
        return
    typer.echo(f"{_title(action)}\n{action.description}")
    show_table(["parameter", "type", "", "meaning"], [_described(one) for one in action.parameters])
    show_table(["result", "type", "meaning"], [(one.path, one.type, one.help or one.title) for one in action.returns])


def _described(parameter: "Parameter") -> tuple[str, str, str, str]:
    need = "required" if parameter.required else "advanced" if parameter.is_advanced else ""
    choices = f" One of {', '.join(parameter.choices)}." if parameter.choices else ""
    return parameter.name, parameter.type, need, f"{parameter.help or parameter.title}{choices}"


def _brief(action: "Action") -> dict[str, Any]:
    return {"name": action.name, "title": action.title, "deprecated": action.is_deprecated}


def _title(action: "Action") -> str:
    is_unsaid = action.is_deprecated and "deprecated" not in action.title.lower()
    return f"{action.title} (deprecated)" if is_unsaid else action.title
