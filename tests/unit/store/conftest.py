"""A fresh database for every test of the store."""

import pytest

from smalt.store.database import Database
from smalt.store.migrating import migrate


@pytest.fixture
def database_path(tmp_path):
    path = tmp_path / "smalt.db"
    migrate(path)
    return path


@pytest.fixture
async def database(database_path):
    database = Database.open(database_path)
    yield database
    await database.close()
