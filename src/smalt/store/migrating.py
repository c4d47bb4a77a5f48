"""Brings a database's schema up to date, once, whichever process comes first."""

import fcntl
import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import URL

from smalt.core.errors import InvalidRequest
from smalt.store.connecting import connect, database_url, described, make_private, sqlite_path
from smalt.store.failures import mapping_failures
from smalt.store.tables import metadata

MIGRATIONS = Path(__file__).parent / "migrations"
REVISION_FILE = re.compile(r"(\d{4})_\w+\.py")


class SchemaTooNewError(Exception):
    """The database was written by a newer Smalt than this one."""


def newest_revision() -> str:
    """The revision that this Smalt's tables belong to, read from the file names so that Alembic may stay unloaded."""
    names = (REVISION_FILE.fullmatch(path.name) for path in (MIGRATIONS / "versions").iterdir())
    return max(name.group(1) for name in names if name)


def migrate(database: URL | Path | str) -> tuple[str | None, str]:
    """Bring the schema up to date; returns the revision before (None for a new database) and after."""
    url = database_url(database)
    target = newest_revision()
    before = current_revision(url)
    if before != target:
        with mapping_failures(described(url)), _alone(url) as connection:
            before = _standing(connection)
            _bring(connection, before, target)
    return before, target


def current_revision(url: URL) -> str | None:
    """The revision a database stands at; None when it is new or missing."""
    path = sqlite_path(url)
    if path is not None and not path.exists():
        return None
    engine = connect(url, "read")
    try:
        with mapping_failures(described(url)), engine.connect() as connection:
            return _standing(connection)
    finally:
        engine.dispose()


def _standing(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def _bring(connection: sa.Connection, before: str | None, target: str) -> None:
    if before == target:
        return
    if before is None:
        _create(connection, target)
        return
    if before > target:
        raise SchemaTooNewError(
            f"The database stands at revision {before}, this Smalt knows up to {target}. "
            "Use the newer Smalt that wrote it, or another data_dir or database.url."
        )
    _upgrade(connection)


def _create(connection: sa.Connection, target: str) -> None:
    """Give a new database the newest tables at once; a test compares them with what the migrations make."""
    _refuse_other_encodings(connection)
    metadata.create_all(connection)
    # As Alembic itself makes it.
    number = sa.Column("version_num", sa.String(32), nullable=False)
    versions = sa.Table(
        "alembic_version", sa.MetaData(), number, sa.PrimaryKeyConstraint(number, name="alembic_version_pkc")
    )
    versions.create(connection)
    connection.execute(sa.insert(versions).values(version_num=target))


def _refuse_other_encodings(connection: sa.Connection) -> None:
    if connection.dialect.name == "postgresql":
        encoding = connection.execute(sa.text("SHOW server_encoding")).scalar_one()
        if encoding != "UTF8":
            raise InvalidRequest(
                f"The database is encoded in {encoding}, which cannot hold every text. "
                "Make one with: CREATE DATABASE NAME ENCODING 'UTF8' TEMPLATE template0"
            )


def _upgrade(connection: sa.Connection, revision: str = "head") -> None:
    # Alembic costs half a second to import, so only a database that is behind pays for it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
    _check_references(connection)


def _check_references(connection: sa.Connection) -> None:
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        if broken:
            raise RuntimeError(f"the migration broke {len(broken)} references, the first in {broken[0][0]}")


@contextmanager
def _alone(url: URL) -> Generator[sa.Connection]:
    """A transaction to migrate in, while no other process migrates the same database."""
    engine = connect(url, "migrate")
    try:
        with _file_locked(sqlite_path(url)), engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def _file_locked(path: Path | None) -> Generator[None]:
    # On PostgreSQL the transaction itself waits for its turn. SQLite's may give up while another makes the file.
    if path is None:
        yield
        return
    lock = os.open(path.with_name(path.name + ".migrating"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        make_private(path)
        yield
    finally:
        os.close(lock)
