"""Brings a database's schema up to date, once, whichever process comes first."""

import fcntl
import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import URL

from smalt.store.connecting import connect, database_url, make_private, sqlite_path
from smalt.store.tables import metadata

MIGRATIONS = Path(__file__).parent / "migrations"
REVISION_FILE = re.compile(r"(\d{4})_\w+\.py")


class SchemaTooNewError(Exception):
    """The database was written by a newer Smalt than this one."""


def newest_revision() -> str:
    """The revision that this Smalt's tables belong to, read from the file names so that Alembic may stay unloaded."""
    names = (REVISION_FILE.fullmatch(path.name) for path in (MIGRATIONS / "versions").iterdir())
    return max(name.group(1) for name in names if name)


def migrate(url_or_path: str | Path) -> tuple[str | None, str]:
    """Bring the schema up to date; returns the revision before (None for a new database) and after."""
    url = database_url(url_or_path)
    target = newest_revision()
    before = current_revision(url)
    if before == target:
        return before, target
    with _alone(url):
        before = current_revision(url)
        if before != target:
            _refuse_newer(before, target)
            if before is None:
                _create(url, target)
            else:
                _upgrade(url)
    return before, target


def current_revision(url: URL) -> str | None:
    """The revision a database stands at; None when it is new or missing."""
    path = sqlite_path(url)
    if path is not None and not path.exists():
        return None
    engine = connect(url, read_only=True)
    try:
        with engine.connect() as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return None
            return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    finally:
        engine.dispose()


def _refuse_newer(before: str | None, target: str) -> None:
    if before is not None and before > target:
        raise SchemaTooNewError(
            f"The database stands at revision {before}, this Smalt knows up to {target}. "
            "Use the newer Smalt that wrote it, or another data_dir."
        )


def _create(url: URL, target: str) -> None:
    """Give a new database the newest tables at once; a test compares them with what the migrations make."""
    path = sqlite_path(url)
    if path is not None:
        make_private(path)
    engine = connect(url)
    try:
        with engine.begin() as connection:
            metadata.create_all(connection)
            connection.execute(sa.text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
            connection.execute(sa.text("INSERT INTO alembic_version VALUES (:target)"), {"target": target})
    finally:
        engine.dispose()


def _upgrade(url: URL) -> None:
    # Alembic costs half a second to import, so only a database that is behind pays for it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    engine = connect(url)
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()


@contextmanager
def _alone(url: URL) -> Generator[None]:
    """Keep other processes from migrating the same database."""
    path = sqlite_path(url)
    with _file_locked(path.with_name(path.name + ".migrating")) if path is not None else _server_locked(url):
        yield


@contextmanager
def _file_locked(path: Path) -> Generator[None]:
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


@contextmanager
def _server_locked(url: URL) -> Generator[None]:
    engine = connect(url)
    try:
        with engine.connect() as connection:
            # Any number will do, as long as every Smalt takes the same one; the lock ends with the connection.
            connection.execute(sa.text("SELECT pg_advisory_lock(7385263)"))
            yield
    finally:
        engine.dispose()
