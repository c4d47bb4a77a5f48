"""Finds where a run's calls go: to a stored connection, or to a server of its own with a key that is kept encrypted."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

import aiohttp

from smalt.connectors.connections.cipher import Sealed
from smalt.connectors.connections.key_places import key_places
from smalt.connectors.connections.service import Connections
from smalt.connectors.connections.target import LOCAL_ID, Target, local_target
from smalt.connectors.definitions.registry import connector
from smalt.connectors.retrying import Retries
from smalt.connectors.runs.each import Reach
from smalt.connectors.throttling import throttled
from smalt.core.settings import Settings
from smalt.store.connector_runs import StoredRun
from smalt.store.database import Database

PATIENT: Final = Retries(attempts=10)
"""For work that nobody waits for: a server may be started anew meanwhile."""


@asynccontextmanager
async def reaching(
    settings: Settings, database: Database, run: StoredRun, policy: Retries = PATIENT
) -> "AsyncGenerator[Reach]":
    """How the calls of a run get where they go; raises `ApiError` when its connection or its key are gone."""
    target = await target_of(settings, database, run)
    throttle = throttled(settings.connectors, database, target.limited_as, target.connector.throttle)
    # How many calls are out at once is the run's to say.
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield Reach(session, target, throttle, policy, target.extras)


async def target_of(settings: Settings, database: Database, run: StoredRun) -> Target:
    """The service that a run's calls go to."""
    definition = connector(run.connector)
    if run.connection_id == LOCAL_ID:
        return local_target(definition, run.url or "", _key_of(settings, run))
    return await Connections(database, key_places(settings)).target(run.connection_id, definition)


def with_key(settings: Settings, run: StoredRun, key: str | None) -> StoredRun:
    """The run with the key of its server, encrypted."""
    if not key:
        return run
    sealed = key_places(settings).to_seal().seal({"key": key}, _bound(run))
    return replace(run, access=sealed.ciphertext, access_key_id=sealed.key_id)


def _key_of(settings: Settings, run: StoredRun) -> str | None:
    if run.access is None or run.access_key_id is None:
        return None
    cipher = key_places(settings).to_open(run.access_key_id, LOCAL_ID)
    return cipher.open(Sealed(run.access, run.access_key_id), _bound(run))["key"]


def _bound(run: StoredRun) -> dict[str, Any]:
    """What the key is bound to: nobody can have it sent elsewhere by changing the database."""
    return {"run": run.id, "url": run.url}
