"""How settings name a database, and how people are told which it is."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from postgres import on_postgres
from smalt.core.errors import InvalidRequest
from smalt.core.settings import Settings
from smalt.store.connecting import connect, database_url, described
from smalt.store.database import database_of
from smalt.store.migrating import migrate
from smalt.store.tables import files, revisions, stored_completions


def named(tmp_path, url=None):
    return database_url(database_of(Settings(data_dir=tmp_path, database={"url": url})))


def test_without_a_url_the_database_is_a_file_in_the_data_folder(tmp_path):
    assert named(tmp_path).database == str(tmp_path / "smalt.db")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_way_to_write_postgresql_means_the_same(tmp_path, scheme):
    url = named(tmp_path, f"{scheme}://me:s%40fe@db:5433/smalt?sslmode=require")
    assert (url.drivername, url.password, url.query["sslmode"]) == ("postgresql+psycopg", "s@fe", "require")


@pytest.mark.parametrize("written", ["/srv/a b.db", "sqlite:////srv/a b.db"])
def test_a_sqlite_file_may_be_named_by_path_and_by_url(tmp_path, written):
    assert named(tmp_path, written).database == "/srv/a b.db"


@pytest.mark.parametrize("written", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_is_refused(written):
    with pytest.raises(InvalidRequest, match="needs a file"):
        migrate(written)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://me:secret@db.example.com:5433/smalt", "PostgreSQL, database 'smalt' on db.example.com:5433"),
        ("postgresql://me:secret@db/smalt?password=secret", "PostgreSQL, database 'smalt' on db"),
        ("postgresql://me:secret@/smalt?host=/run/pg", "PostgreSQL, database 'smalt' on /run/pg"),
        ("postgresql://me:secret@/smalt?host=a:1&host=b:2", "PostgreSQL, database 'smalt' on a:1, b:2"),
        ("postgresql://me:secret@db", "PostgreSQL, database 'me' on db"),
        ("postgresql:///smalt", "PostgreSQL, database 'smalt' on the local socket"),
        (Path("/srv/smalt.db"), "SQLite, /srv/smalt.db"),
    ],
)
def test_a_database_is_described_without_secrets(url, words):
    assert described(database_url(url)) == words


async def test_a_null_character_is_refused_wherever_it_is(database):
    with pytest.raises(InvalidRequest, match="null character"):
        await database.write(lambda connection: connection.execute(sa.insert(revisions), {"name": "a\0b", "number": 1}))
    rows = [{"name": "fine", "number": 1}, {"name": "a\0b", "number": 1}]
    with pytest.raises(InvalidRequest, match="null character"):
        await database.write(lambda connection: connection.execute(sa.insert(revisions), rows))
    with pytest.raises(InvalidRequest, match="null character"):
        await database.write(lambda c: c.execute(sa.insert(revisions).returning(revisions.c.name), rows))
    with pytest.raises(InvalidRequest, match="null character"):
        await database.read(lambda connection: connection.scalar(sa.select(files.c.id).where(files.c.id == "a\0b")))
    assert await database.read(lambda connection: connection.execute(sa.select(revisions)).all()) == []


async def test_json_may_hold_every_character(database):
    text = 'null \0, snowman \u2603, face \U0001f600, quote ", backslash \\'
    row = {"id": "c", "project": "p", "created_at": 1, "model": "m", "messages": [text], "completion": {text: text}}
    await database.write(lambda connection: connection.execute(sa.insert(stored_completions), row))
    query = sa.select(stored_completions.c.messages, stored_completions.c.completion)
    assert await database.read(lambda connection: connection.execute(query).one()) == ([text], {text: text})


@on_postgres
async def test_a_value_that_does_not_fit_is_the_client_s_fault(database):
    for value in ({"name": "n" * 65, "number": 1}, {"name": "n", "number": 2**63}):
        with pytest.raises(InvalidRequest, match="no room"):
            await database.write(lambda connection, row=value: connection.execute(sa.insert(revisions), row))


@on_postgres
def test_what_is_acknowledged_is_on_disk_even_where_the_server_is_lazy(store_url):
    name = database_url(store_url).database
    engine = connect(database_url(store_url))
    with engine.begin() as connection:
        connection.exec_driver_sql(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    engine.dispose()
    with engine.begin() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"
    engine.dispose()


def test_a_file_that_is_no_database_is_refused_by_name(tmp_path):
    path = tmp_path / "smalt.db"
    path.write_text("This is a text, long enough to be looked at by SQLite as the header of a database file." * 4)
    with pytest.raises(InvalidRequest, match="not a database") as raised:
        migrate(path)
    assert str(path) in raised.value.message


async def test_a_fault_of_ours_does_not_say_what_users_wrote(database):
    def fail(connection):
        connection.execute(sa.text("INSERT INTO nowhere VALUES (:text)"), {"text": "a private letter"})

    with pytest.raises(sa.exc.DBAPIError) as raised:
        await database.write(fail)
    assert "private letter" not in str(raised.value)
