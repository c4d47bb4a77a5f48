"""The commands a person types. Nothing heavy is imported before a command needs it."""

import gc
import sys


def main() -> None:
    """Run the command line; the entry point of the program `smalt`."""
    # What is imported stays; looking through it for garbage costs a tenth of the imports.
    gc.disable()
    from smalt.cli.commands import app
    from smalt.core.errors import ApiError

    gc.enable()
    try:
        app()
    except ApiError as error:
        print(f"smalt: {error.message}", file=sys.stderr)  # noqa: T201 - a command speaks to its terminal
        sys.exit(1)
