"""How a database comes to its newest schema."""

import sqlite3
import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from smalt.store.connecting import connect, database_url
from smalt.store.migrating import MIGRATIONS, SchemaTooNewError, _upgrade, current_revision, migrate, newest_revision
from smalt.store.tables import metadata


def test_the_newest_revision_is_alembics_head():
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [newest_revision()]


def test_the_migrations_make_the_tables_that_a_new_database_has(tmp_path):
    new, old = tmp_path / "new.db", tmp_path / "old.db"
    migrate(new)
    _upgrade(database_url(old))
    assert current_revision(database_url(old)) == newest_revision()
    assert described(old) == described(new)


def described(path):
    connection = sqlite3.connect(path)
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
    facts = {
        name: [
            sorted(connection.execute(f"PRAGMA {pragma}({name})").fetchall())
            for pragma in ("table_info", "foreign_key_list", "index_list")
        ]
        for (name,) in tables
        if name != "alembic_version"
    }
    connection.close()
    return facts


def test_the_code_s_tables_are_those_of_the_database(tmp_path):
    _upgrade(database_url(tmp_path / "smalt.db"))
    engine = connect(database_url(tmp_path / "smalt.db"))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_migrating_twice_changes_nothing(tmp_path):
    assert migrate(tmp_path / "smalt.db") == (None, newest_revision())
    assert migrate(tmp_path / "smalt.db") == (newest_revision(), newest_revision())


@pytest.mark.parametrize("is_new", [True, False])
def test_a_database_that_is_new_or_up_to_date_does_not_load_alembic(tmp_path, is_new):
    path = tmp_path / "smalt.db"
    if not is_new:
        migrate(path)
    code = (
        "import sys; from smalt.store.migrating import migrate; migrate(sys.argv[1]); "
        "sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == 0


def test_several_processes_may_migrate_at_once(tmp_path):
    code = "import sys; from smalt.store.migrating import migrate; migrate(sys.argv[1])"
    command = [sys.executable, "-c", code, str(tmp_path / "smalt.db")]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(3)]
    assert [(process.communicate()[1], process.returncode) for process in running] == [(b"", 0)] * 3


def test_a_newer_database_is_refused_with_advice(tmp_path):
    path = tmp_path / "smalt.db"
    migrate(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(SchemaTooNewError, match="newer Smalt"):
        migrate(path)


def test_a_missing_database_stands_nowhere(tmp_path):
    assert current_revision(database_url(tmp_path / "none.db")) is None
    assert not (tmp_path / "none.db").exists()
