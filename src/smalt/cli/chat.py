"""`smalt chat`: a conversation in the terminal with a running server."""

import os
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Annotated

import typer

from smalt.cli.options import ConfigOption, read_settings

if TYPE_CHECKING:
    from smalt.cli.conversation import Conversation

KEY_VARIABLE = "SMALT_API_KEY"


def chat(
    message: Annotated[str | None, typer.Argument(help="Say this and leave; without it, talk until Ctrl-D.")] = None,
    url: Annotated[
        str | None, typer.Option(help="The server's /openai/v1 address; the settings' one if absent.")
    ] = None,
    key: Annotated[str | None, typer.Option(envvar=KEY_VARIABLE, help="An API key of the server.")] = None,
    model: Annotated[str, typer.Option(help="The model to talk to.")] = "gpt-4o-mini",
    system: Annotated[str | None, typer.Option(help="Instructions for the model.")] = None,
    config: ConfigOption = None,
) -> None:
    """Talk to a running server; the answer is printed as it comes."""
    from smalt.cli.conversation import Conversation, ServerRefusedError

    address = url or _address_of_settings(config)
    conversation = Conversation(address, model=model, key=key, system=system)
    try:
        if message is not None:
            _print_answer(conversation, message)
        else:
            _talk(conversation)
    except ServerRefusedError as error:
        typer.echo(f"smalt: {error}", err=True)
        raise typer.Exit(1) from None


def _address_of_settings(config: "ConfigOption") -> str:
    from smalt.cli.listening import base_url

    server = read_settings(config).server
    return f"{base_url(server.host, server.port)}/openai/v1"


def _talk(conversation: "Conversation") -> None:
    typer.echo("Ctrl-C stops an answer, Ctrl-D leaves.", err=True)
    for message in _questions():
        with suppress(KeyboardInterrupt):
            _print_answer(conversation, message)


def _questions() -> Iterator[str]:
    with suppress(ImportError):
        # Once it is imported, `input` has line editing and a history.
        import_module("readline")
    while True:
        try:
            message = input("> ").strip()
        except (EOFError, KeyboardInterrupt):
            typer.echo()
            return
        if message:
            yield message


def _print_answer(conversation: "Conversation", message: str) -> None:
    try:
        with closing(conversation.say(message)) as pieces:
            for piece in pieces:
                sys.stdout.write(piece)
                sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the answer has left; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None
    finally:
        with suppress(BrokenPipeError):
            typer.echo()
