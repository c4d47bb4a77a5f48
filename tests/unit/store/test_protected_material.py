"""Fingerprints of protected material in a database."""

import asyncio

import pytest
import sqlalchemy as sa

from smalt.core.errors import NotFound
from smalt.store import protected_material as module
from smalt.store.database import Database
from smalt.store.protected_material import NewMaterial, Occurrence, ProtectedMaterials
from smalt.store.tables import protected_fingerprints


def new(name="song", kind="text", digest="d1", fingerprints=((11, 0), (12, 4)), **more):
    return NewMaterial(kind=kind, name=name, digest=digest, tokens=40, fingerprints=fingerprints, **more)


async def test_an_added_material_is_listed_and_found_by_its_fingerprints(database):
    materials = ProtectedMaterials(database)
    made = await materials.add(new(url="https://example.com/song", license="MIT"))
    assert made.id.startswith("pm_")
    assert await materials.list() == [made]
    [one] = await materials.occurrences("text", [12, 13, 12])
    assert (one.fingerprint, one.position) == (12, 4)
    assert await materials.get(one.sequence) == made


async def test_the_kinds_are_apart(database):
    materials = ProtectedMaterials(database)
    assert await materials.kinds() == frozenset()
    await materials.add(new())
    assert await materials.kinds() == {"text"}
    assert await materials.occurrences("code", [11, 12]) == []
    await materials.add(new(kind="code"))
    assert await materials.kinds() == {"code", "text"}
    assert len(await materials.occurrences("code", [11, 12])) == 2


async def test_the_same_material_twice_is_one_with_the_latest_name(database):
    materials = ProtectedMaterials(database)
    first = await materials.add(new("draft"))
    second = await materials.add(new("final", license="CC0-1.0"))
    assert (second.id, second.name, second.license) == (first.id, "final", "CC0-1.0")
    assert await materials.list() == [second]
    assert len(await materials.occurrences("text", [11])) == 1


async def test_removing_takes_the_fingerprints_along(database):
    materials = ProtectedMaterials(database)
    await materials.add(new())
    other = await materials.add(new("other", digest="d2"))
    removed = await materials.remove("song")
    assert [one.name for one in removed] == ["song"]
    assert await materials.list() == [other]
    count = sa.select(sa.func.count()).select_from(protected_fingerprints)
    assert await database.read(lambda connection: connection.scalar(count)) == 2
    await materials.remove(other.id)
    assert await materials.kinds() == frozenset()
    with pytest.raises(NotFound, match="smalt protected list"):
        await materials.remove("song")


async def test_many_fingerprints_are_looked_up_in_several_steps(database):
    materials = ProtectedMaterials(database)
    many = [(number, number) for number in range(3 * module.ROWS_AT_ONCE)]
    await materials.add(new(fingerprints=many))
    found = await materials.occurrences("text", [number for number, _ in many])
    assert found == [Occurrence(number, found[0].sequence, number) for number, _ in many]


async def test_another_process_sees_a_change_within_a_second(database, store_url):
    other_database = Database.open(store_url)
    other = ProtectedMaterials(other_database)
    assert await other.kinds() == frozenset()
    await ProtectedMaterials(database).add(new())
    await asyncio.sleep(module.FRESH_SECONDS)
    assert await other.kinds() == {"text"}
    await other_database.close()


async def test_asking_for_the_kinds_again_reads_nothing(database):
    materials = ProtectedMaterials(database)
    await materials.kinds()
    await database.close()
    assert await materials.kinds() == frozenset()
