"""Removes objects that nothing refers to from the storage."""

import asyncio
import re
from functools import partial

from smalt.store.blobs import ledger
from smalt.store.blobs.storage import Storage
from smalt.store.database import Database

OURS = re.compile(r"[0-9a-f]{2}/[0-9a-f]{64}-[0-9a-f]{16}")
"""The keys that Smalt makes; a bucket may hold other things, which are left alone."""

AT_ONCE = 16


async def forget_doomed(database: Database, storage: Storage) -> None:
    """Remove the objects of doomed keys, each before its row; the first failure is raised after all were tried."""
    failures: list[BaseException] = []
    keys = await database.read(partial(ledger.doomed_keys, after=""))
    while keys:
        results = await _delete_all(storage, keys)
        failures += [result for result in results if result is not None]
        gone = [key for key, result in zip(keys, results, strict=True) if result is None]
        await database.write(partial(ledger.forget_doomed, keys=gone))
        keys = await database.read(partial(ledger.doomed_keys, after=keys[-1]))
    if failures:
        raise failures[0]


async def forget_unknown(database: Database, storage: Storage, *, older_than: float) -> None:
    """Remove objects that no row knows: a row comes before its object, so these are what a kill has left."""
    async for page in storage.list():
        old = [one.key for one in page if one.modified_at < older_than and OURS.fullmatch(one.key)]
        unknown = await database.read(partial(ledger.unknown_keys, keys=old)) if old else []
        for failure in await _delete_all(storage, unknown):
            if failure is not None:
                raise failure


async def _delete_all(storage: Storage, keys: list[str]) -> list[BaseException | None]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def delete(key: str) -> None:
        async with gate:
            await storage.delete(key)

    return await asyncio.gather(*(delete(key) for key in keys), return_exceptions=True)
