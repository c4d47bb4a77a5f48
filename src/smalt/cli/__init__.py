"""The commands a person types. Nothing heavy is imported before a command needs it."""

import sys


def main() -> None:
    """Run the command line; the entry point of the program `smalt`."""
    from smalt.cli.commands import app
    from smalt.core.errors import ApiError

    try:
        app()
    except ApiError as error:
        print(f"smalt: {error.message}", file=sys.stderr)  # noqa: T201 - a command speaks to its terminal
        sys.exit(1)
