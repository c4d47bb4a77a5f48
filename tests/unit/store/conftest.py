"""A fresh database for every test of the store."""

import pytest

from smalt.store.connecting import database_url, sqlite_path
from smalt.store.database import Database


@pytest.fixture
async def database(store_url):
    database = Database.open(store_url)
    yield database
    await database.close()


@pytest.fixture
def database_path(store_url):
    """The file of the database, for a test that is `on_sqlite`."""
    return sqlite_path(database_url(store_url))
