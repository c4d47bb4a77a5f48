"""How a database comes to its newest schema."""

import asyncio
import subprocess
import sys
from importlib import import_module

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from smalt.core.errors import InvalidRequest, MissingExtra
from smalt.store.connecting import connect, database_url
from smalt.store.database import Database
from smalt.store.keys import Keys
from smalt.store.migrating import (
    MIGRATIONS,
    SchemaTooNewError,
    _alone,
    _check_references,
    _upgrade,
    current_revision,
    migrate,
    newest_revision,
)
from smalt.store.stored_completions import StoredCompletions
from smalt.store.tables import metadata
from smalt.store.usage import read_usage

MIGRATE = "import sys; from smalt.store.migrating import migrate; migrate(sys.argv[1])"


def revisions():
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()][::-1]


def upgrade(url, revision="head"):
    with _alone(database_url(url)) as connection:
        _upgrade(connection, revision)


def in_database(url, work, role="write"):
    engine = connect(database_url(url), role)
    try:
        with engine.begin() as connection:
            return work(connection)
    finally:
        engine.dispose()


def test_the_newest_revision_is_alembics_head():
    assert revisions()[-1] == newest_revision()


def test_the_migrations_make_the_tables_that_a_new_database_has(empty_url):
    upgrade(empty_url)
    assert current_revision(database_url(empty_url)) == newest_revision()
    migrated = in_database(empty_url, described)
    in_database(empty_url, clear)
    assert migrate(empty_url) == (None, newest_revision())
    assert in_database(empty_url, described) == migrated


def clear(connection):
    metadata.drop_all(connection)
    connection.exec_driver_sql("DROP TABLE alembic_version")


def described(connection):
    """Everything that the database says about its tables, in its own words where it has some."""
    inspector = sa.inspect(connection)
    tables = [name for name in inspector.get_table_names() if name != "alembic_version"]
    own = {
        "postgresql": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
        "sqlite": "SELECT sql FROM sqlite_master WHERE type = 'index' "
        "UNION ALL SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%AUTOINCREMENT%'",
    }
    words = connection.exec_driver_sql(own[connection.dialect.name]).scalars()
    return {name: facts(inspector, name) for name in tables}, sorted(str(text) for text in words)


def facts(inspector, table):
    columns = [
        (column["name"], str(column["type"]), column["nullable"], str(column["default"]))
        for column in inspector.get_columns(table)
    ]
    return (
        sorted(columns),
        inspector.get_pk_constraint(table),
        sorted(inspector.get_foreign_keys(table), key=str),
        sorted(inspector.get_unique_constraints(table), key=str),
    )


def test_the_code_s_tables_are_those_of_the_database(empty_url):
    upgrade(empty_url)

    def differences(connection):
        return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)

    assert in_database(empty_url, differences) == []


def test_only_one_live_row_may_have_a_file_of_a_vector_store(store_url):
    files = metadata.tables["vector_store_files"]

    def add(connection, **changes):
        connection.execute(sa.insert(files).values(row_of(connection, files) | changes))

    def attach_twice(connection, deleted_at):
        in_order(connection, lambda table: table.name in {"vector_stores", "vector_store_file_batches"})
        add(connection, sequence=1, deleted_at=deleted_at)
        add(connection, sequence=2, deleted_at=None)

    with pytest.raises(sa.exc.IntegrityError):
        in_database(store_url, lambda connection: attach_twice(connection, None))
    in_database(store_url, lambda connection: attach_twice(connection, 5))


def value_of(column):
    """A value that the column can have; references fit because every key is 1 or its column's name."""
    if column.foreign_keys:
        return value_of(next(iter(column.foreign_keys)).column)
    kinds = {
        sa.Integer: 1,
        sa.BigInteger: 1,
        sa.Boolean: True,
        sa.JSON: {"a": ["\u2603", None, 1.5]},
        sa.LargeBinary: b"\x00\xff",
    }
    return next((value for kind, value in kinds.items() if isinstance(column.type, kind)), column.name[:60])


def row_of(connection, table):
    return {column.name: value_of(column) for column in table.columns}


def in_order(connection, chosen=lambda _: True):
    """Put a row into every chosen table that the database has now; returns what is in all of them."""
    there = sa.MetaData()
    there.reflect(connection)
    for table in there.sorted_tables:
        if table.name != "alembic_version" and chosen(table):
            known = metadata.tables[table.name]
            row = {column.name: value_of(known.c[column.name]) for column in table.columns}
            connection.execute(sa.insert(sa.table(known.name, *(sa.column(c.name, c.type) for c in known.c))), [row])
    return everything(connection, there)


def everything(connection, tables):
    return {
        table.name: [dict(row._mapping) for row in connection.execute(sa.select(table))]
        for table in tables.sorted_tables
        if table.name != "alembic_version"
    }


@pytest.mark.parametrize("revision", revisions())
def test_a_database_of_every_earlier_revision_keeps_all_its_rows(empty_url, revision):
    upgrade(empty_url, revision)
    there = sa.MetaData()

    def fill(connection):
        there.reflect(connection)
        return in_order(connection)

    before = in_database(empty_url, fill)
    assert all(before.values())
    assert migrate(empty_url) == (revision, newest_revision())
    assert in_database(empty_url, lambda connection: everything(connection, there)) == before


async def test_a_database_of_the_first_release_works_as_before(empty_url):
    upgrade(empty_url, "0001")
    first = import_module("smalt.store.tables.accounts")
    database = Database.open(empty_url)
    key, _ = await Keys(database).create("app", "shop", requests_per_minute=5)
    stored = StoredCompletions(database)
    await stored.add("shop", {"id": "c", "created": 1, "model": "m"}, messages=[{"role": "user"}], metadata={"k": "v"})
    used = {"day": "2026-01-01", "key_id": key.id, "project": "shop", "model": "m", "operation": "o", "end_user": ""}
    counts = dict.fromkeys(("requests", "prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens"), 2)
    await database.write(lambda connection: connection.execute(sa.insert(first.usage).values(used | counts)))
    await database.close()
    await asyncio.to_thread(migrate, empty_url)
    database = Database.open(empty_url)
    stored = StoredCompletions(database)
    assert await Keys(database).list() == [key]
    assert (await stored.get("shop", "c")).metadata == {"k": "v"}
    assert (await stored.messages("shop", "c")).items[0].message == {"role": "user"}
    assert [row.requests for row in await read_usage(database, by="key")] == [2]
    await stored.add("shop", {"id": "d", "created": 2, "model": "m"}, messages=[])
    assert [item.id for item in (await stored.list("shop")).items] == ["c", "d"]
    await database.close()


def test_a_migration_may_make_a_table_anew_without_losing_what_refers_to_it(empty_url):
    upgrade(empty_url, "0001")
    before = in_database(empty_url, in_order)
    with _alone(database_url(empty_url)) as connection:
        operations = Operations(MigrationContext.configure(connection, opts={"render_as_batch": True}))
        with operations.batch_alter_table("stored_completions", recreate="auto") as batch:
            batch.alter_column("model", type_=sa.String(300))
        _check_references(connection)
    there = sa.MetaData()
    in_database(empty_url, there.reflect)
    assert in_database(empty_url, lambda connection: everything(connection, there)) == before


def test_a_migration_that_fails_changes_nothing(empty_url):
    upgrade(empty_url, "0001")

    def fail():
        with _alone(database_url(empty_url)) as connection:
            _upgrade(connection)
            raise OSError("the power fails")

    with pytest.raises(OSError, match="power"):
        fail()
    assert current_revision(database_url(empty_url)) == "0001"
    assert migrate(empty_url) == ("0001", newest_revision())


def test_migrating_twice_changes_nothing(empty_url):
    assert migrate(empty_url) == (None, newest_revision())
    assert migrate(empty_url) == (newest_revision(), newest_revision())


@pytest.mark.parametrize("is_new", [True, False])
def test_a_database_that_is_new_or_up_to_date_does_not_load_alembic(empty_url, is_new):
    if not is_new:
        migrate(empty_url)
    code = f"{MIGRATE}; sys.exit('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code, empty_url], check=False).returncode == 0


@pytest.mark.parametrize("start", [None, "0001"])
def test_several_processes_may_migrate_at_once(empty_url, start):
    if start:
        upgrade(empty_url, start)
    command = [sys.executable, "-c", MIGRATE, empty_url]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(3)]
    assert [(process.communicate()[1], process.returncode) for process in running] == [(b"", 0)] * 3
    assert current_revision(database_url(empty_url)) == newest_revision()


def test_a_newer_database_is_refused_with_advice(store_url):
    in_database(
        store_url, lambda connection: connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    )
    with pytest.raises(SchemaTooNewError, match="newer Smalt"):
        migrate(store_url)


def test_a_missing_database_stands_nowhere(tmp_path):
    assert current_revision(database_url(tmp_path / "none.db")) is None
    assert not (tmp_path / "none.db").exists()


def test_a_database_in_another_encoding_is_refused(postgres_server):
    with postgres_server.database() as url:
        name = url.rpartition("/")[2]
        postgres_server.execute(f"CREATE DATABASE {name}_latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        try:
            with pytest.raises(InvalidRequest, match="LATIN1"):
                migrate(f"{url}_latin")
        finally:
            postgres_server.execute(f"DROP DATABASE {name}_latin")


def test_postgres_without_its_driver_says_what_to_install(tmp_path):
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from smalt.store.migrating import migrate\n"
        "from smalt.core.errors import MissingExtra\n"
        "try: migrate('postgresql://localhost/smalt')\n"
        "except MissingExtra as error: print(error)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == str(MissingExtra("psycopg", extra="postgres"))
