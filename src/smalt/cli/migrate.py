"""`smalt migrate`: brings the database to this version's schema."""

import typer

from smalt.cli.opening import migrate_database
from smalt.cli.options import ConfigOption, read_settings


def migrate(config: ConfigOption = None) -> None:
    """Bring the database up to date; `smalt serve` does it too."""
    before, after = migrate_database(read_settings(config))
    if before == after:
        typer.echo(f"The database is up to date (revision {after}).")
    else:
        typer.echo(f"The database went from {before or 'nothing'} to revision {after}.")
