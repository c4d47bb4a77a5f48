"""A process that opens its database twice keeps its locks, and agrees with other processes on the newest pages."""

import subprocess
import sys

import sqlalchemy as sa

from smalt.store.database import Database
from smalt.store.migrating import migrate
from smalt.store.tables import revisions

OTHER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
print(connection.execute("SELECT count(*) FROM revisions").fetchone()[0])
connection.execute("INSERT INTO revisions VALUES (?, 1)", (sys.argv[2],))
connection.close()
"""


async def add(database, name):
    await database.write(lambda connection: connection.execute(sa.insert(revisions).values(name=name, number=1)))


async def names(database):
    return await database.read(lambda connection: set(connection.execute(sa.select(revisions.c.name)).scalars()))


def count_and_add(path, name):
    """What another process counts, before it adds a row."""
    done = subprocess.run([sys.executable, "-c", OTHER, str(path), name], capture_output=True, text=True, check=True)
    return int(done.stdout)


async def test_a_database_that_is_opened_again_agrees_with_other_processes(tmp_path):
    path = tmp_path / "smalt.db"
    migrate(path)
    first = Database.open(path)
    before = await names(first)
    await add(first, "first")
    second = Database.open(path)
    await second.close()
    # The other process closes its connection, and would tidy up if it believed to be the last.
    seen = count_and_add(path, "other")
    await add(first, "later")
    again = count_and_add(path, "more")
    assert (seen, again) == (len(before) + 1, len(before) + 3)
    assert await names(first) == before | {"first", "other", "later", "more"}
    await first.close()
