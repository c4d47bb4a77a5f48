"""Writes are made once, and reads are answered, whatever happens to the connection with PostgreSQL."""

import asyncio
import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from smalt.core.errors import InvalidRequest, Unavailable
from smalt.store.committing import Committing
from smalt.store.connecting import connect, database_url
from smalt.store.database import Database
from smalt.store.failures import OutcomeUnknown
from smalt.store.migrating import migrate
from smalt.store.tables import revisions


@dataclass
class Proxy:
    """Passes bytes on to the server; breaks the line at the next COMMIT `before` or `after` the server has got it."""

    server: tuple[str, int]
    cut: str | None = None
    is_down: bool = False
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    lines: list[socket.socket] = field(default_factory=list)

    def accept(self):
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                if self.is_down:
                    client.close()
                    continue
                server = socket.create_connection(self.server)
                self.lines += [client, server]
                threading.Thread(target=self.forward, args=(client, server), daemon=True).start()
                threading.Thread(target=self.answer, args=(server, client), daemon=True).start()

    def forward(self, client, server):
        with suppress(OSError):
            while data := client.recv(65536):
                if self.cut and b"COMMIT\0" in data:
                    if self.cut == "after":
                        self.is_swallowing = True
                        server.sendall(data)
                    else:
                        hang_up(client, server)
                    self.cut = None
                else:
                    server.sendall(data)
        hang_up(client, server)

    is_swallowing: bool = False

    def answer(self, server, client):
        with suppress(OSError):
            while data := server.recv(65536):
                if self.is_swallowing:
                    self.is_swallowing = False
                    break
                client.sendall(data)
        hang_up(client, server)

    def hang_up(self):
        hang_up(*self.lines)


def hang_up(*lines):
    for line in lines:
        with suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def proxy(postgres_url):
    url = make_url(postgres_url)
    proxy = Proxy((url.host, url.port))
    thread = threading.Thread(target=proxy.accept, daemon=True)
    thread.start()
    yield proxy
    proxy.listener.shutdown(socket.SHUT_RDWR)
    proxy.listener.close()
    thread.join(10)
    for line in proxy.lines:
        line.close()


@pytest.fixture
def proxied_url(postgres_url, proxy):
    return make_url(postgres_url).set(port=proxy.listener.getsockname()[1])


@pytest.fixture
async def database(proxied_url):
    database = Database.open(proxied_url)
    yield database
    await database.close()


def count_up(connection):
    found = connection.execute(sa.update(revisions).values(number=revisions.c.number + 1))
    if not found.rowcount:
        connection.execute(sa.insert(revisions).values(name="n", number=1))


def number(connection):
    return connection.scalar(sa.select(revisions.c.number))


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_line_that_breaks_while_a_write_is_confirmed_makes_it_once(database, proxy, moment):
    await database.write(count_up)
    proxy.cut = moment
    await asyncio.gather(database.write(count_up), database.write(count_up))
    assert proxy.cut is None
    assert await database.read(number) == 3


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_write_whose_outcome_nobody_can_say_is_told_as_such(proxied_url, proxy, moment, caplog):
    engine = connect(database_url(proxied_url))
    writing = Committing(engine, retry_seconds=0.2)

    def work(connection):
        count_up(connection)
        proxy.is_down = True

    proxy.cut = moment
    with pytest.raises(OutcomeUnknown, match="Look before you repeat") as raised:
        writing.run(work)
    assert raised.value.headers == {"x-should-retry": "false"}
    engine.dispose()


async def test_a_line_that_breaks_in_the_middle_of_a_write_makes_it_once(database, proxy):
    runs = []

    def break_once(connection):
        count_up(connection)
        runs.append(1)
        if len(runs) == 1:
            proxy.hang_up()

    await database.write(break_once)
    assert await database.read(number) == 1
    assert len(runs) == 2


async def test_a_read_finds_a_new_line_when_the_old_one_broke(database, proxy):
    await database.write(count_up)
    assert await database.read(number) == 1
    proxy.hang_up()
    assert await database.read(number) == 1


async def test_a_write_waits_for_a_server_that_comes_back(database, proxy):
    await database.write(count_up)
    proxy.is_down = True
    proxy.hang_up()
    writing = asyncio.ensure_future(database.write(count_up))
    await asyncio.sleep(0.3)
    assert not writing.done()
    proxy.is_down = False
    await writing
    assert await database.read(number) == 2


async def test_a_server_that_stays_away_is_told(database, proxy):
    proxy.is_down = True
    with pytest.raises(Unavailable):
        await database.read(number)


async def test_connections_that_an_administrator_ends_are_made_anew(database, postgres_url):
    await database.write(count_up)
    await database.read(number)
    end_all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = %s"
    with psycopg.connect(postgres_url) as administrator:
        administrator.execute(end_all, [make_url(postgres_url).database])
    await database.write(count_up)
    assert await database.read(number) == 2


async def test_a_deadlock_with_a_stranger_is_tried_again(database, postgres_url):
    await database.write(count_up)
    await database.write(lambda connection: connection.execute(sa.insert(revisions).values(name="m", number=1)))
    begun = threading.Event()
    runs = []

    def both(connection):
        runs.append(1)
        connection.execute(sa.update(revisions).where(revisions.c.name == "n").values(number=10))
        begun.set()
        threading.Event().wait(0.3)
        connection.execute(sa.update(revisions).where(revisions.c.name == "m").values(number=10))

    def stranger():
        with psycopg.connect(postgres_url) as connection:
            connection.execute("SET deadlock_timeout = '60s'")
            connection.execute("UPDATE revisions SET number = 5 WHERE name = 'm'")
            begun.wait(10)
            connection.execute("UPDATE revisions SET number = 5 WHERE name = 'n'")

    other = asyncio.create_task(asyncio.to_thread(stranger))
    await database.write(both)
    await other
    numbers = await database.read(lambda connection: connection.execute(sa.select(revisions.c.number)).scalars().all())
    assert numbers == [10, 10]
    assert len(runs) == 2


@contextmanager
def told(kind):
    with pytest.raises(kind) as raised:
        yield lambda: raised.value.message


def test_a_server_that_is_not_there_is_named_without_the_password(postgres_url):
    url = make_url(postgres_url).set(port=1)
    with told(Unavailable) as message:
        migrate(url)
    assert f"database '{url.database}' on 127.0.0.1:1 " in message()
    assert "refused" in message()
    assert url.password not in message()


def test_a_wrong_password_is_named_without_it(postgres_url):
    with told(Unavailable) as message:
        migrate(make_url(postgres_url).set(password="wrong-secret"))
    assert "password authentication failed" in message()
    assert "wrong-secret" not in message()


@pytest.mark.parametrize(
    "url", ["postgresql://u:pass/word@host:port/name", "mysql://u:password@host/name", "postgresql://u:password@[::1/n"]
)
def test_a_url_that_cannot_be_right_is_refused_without_its_password(url):
    with told(InvalidRequest) as message:
        migrate(url)
    assert "postgresql://USER:PASSWORD@HOST" in message()
    assert "pass/word" not in message()
    assert ":password" not in message()


def test_a_user_who_may_not_make_tables_is_told_what_to_ask_for(postgres_url, postgres_server):
    with postgres_server.database() as url:
        with psycopg.connect(url, autocommit=True) as administrator:
            administrator.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
            administrator.execute("CREATE ROLE guest LOGIN PASSWORD 'guest'")
        with told(InvalidRequest) as message:
            migrate(make_url(url).set(username="guest", password="guest"))
        assert "ALTER DATABASE" in message()
