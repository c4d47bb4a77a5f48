"""Opens the data folder and its database for a command."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from smalt.cli.options import refuse

if TYPE_CHECKING:
    from smalt.core.settings import Settings
    from smalt.store.database import Database


def make_data_dir(data_dir: Path) -> None:
    """Create the data folder, and `run` in it for sockets and locks, for their owner only."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        run = data_dir / "run"
        run.mkdir(mode=0o700, exist_ok=True)
        run.chmod(0o700)
    except OSError as error:
        refuse(f"The data folder {data_dir} cannot be used: {error.strerror}. Set data_dir to another.")
    if not os.access(data_dir, os.R_OK | os.W_OK | os.X_OK):
        refuse(f"The data folder {data_dir} may not be written by this user. Set data_dir to another.")


def migrate_database(settings: "Settings") -> tuple[str | None, str]:
    """Bring the database's schema up to date, or say why that cannot be."""
    from smalt.store.database import database_of
    from smalt.store.migrating import SchemaTooNewError, migrate

    make_data_dir(settings.data_dir)
    try:
        return migrate(database_of(settings))
    except SchemaTooNewError as error:
        refuse(str(error))


@asynccontextmanager
async def open_database(settings: "Settings") -> "AsyncGenerator[Database]":
    """The database of these settings, created and migrated when need be."""
    from smalt.store.database import Database, database_of

    migrate_database(settings)
    database = Database.open(database_of(settings))
    try:
        yield database
    finally:
        await database.close()
