"""`smalt chat`: a conversation in the terminal with a running server."""

import os
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Annotated

import typer

from smalt.cli.options import ConfigOption, KeyOption, UrlOption

if TYPE_CHECKING:
    from smalt.cli.conversation import Conversation


def chat(
    message: Annotated[str | None, typer.Argument(help="Say this and leave; without it, talk until Ctrl-D.")] = None,
    url: UrlOption = None,
    key: KeyOption = None,
    model: Annotated[str, typer.Option(help="The model to talk to.")] = "gpt-4o-mini",
    system: Annotated[str | None, typer.Option(help="Instructions for the model.")] = None,
    config: ConfigOption = None,
) -> None:
    """Talk to a running server; the answer is printed as it comes."""
    from smalt.cli.conversation import Conversation
    from smalt.cli.server_client import connected

    with connected(url, key, config) as server:
        conversation = Conversation(server, model=model, system=system)
        if message is not None:
            _print_answer(conversation, message)
        else:
            _talk(conversation)


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
