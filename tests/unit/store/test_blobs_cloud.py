"""The same promises on S3, and addresses of every kind of storage."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

pytest.importorskip("moto.server", reason="moto comes with the development tools")

import boto3
from moto.server import ThreadedMotoServer

from smalt.core.errors import NotFound, Unavailable
from smalt.core.settings import StorageSettings
from smalt.store.blobs import Blobs
from smalt.store.blobs.storage import open_storage
from smalt.store.blobs.threads import Threads
from smalt.store.database import Database
from smalt.store.files import Files, NewFile, StoredFile

SECRETS = {"access_key_id": "me", "secret_access_key": "secret", "region": "us-east-1"}


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3: str) -> str:
    name = f"bucket-{os.urandom(4).hex()}"
    _client(s3).create_bucket(Bucket=name)
    return name


def _client(endpoint: str):
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id="me",
        aws_secret_access_key="secret",
        region_name="us-east-1",
    )


def names(s3: str, bucket: str) -> list[str]:
    return [one["Key"] for one in _client(s3).list_objects_v2(Bucket=bucket).get("Contents", [])]


@pytest.fixture
async def kept(database: Database, tmp_path: Path, s3: str, bucket: str) -> AsyncIterator[Blobs]:
    options = {**SECRETS, "endpoint": s3, "allow_http": "true"}
    settings = StorageSettings(url=f"s3://{bucket}/some/prefix", options=options, sweep_after_seconds=0.001)
    opened = Blobs.open(settings, tmp_path, database)
    yield opened
    await opened.close()


async def stream(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 2**18):
        yield content[start : start + 2**18]


async def file_of(database: Database, kept: Blobs, content: bytes) -> StoredFile:
    new = NewFile(blob=await kept.put(stream(content)), filename="a.bin", purpose="assistants")
    return await Files(database).create("green", new)


@pytest.mark.parametrize("size", [0, 1000, 20_000_000])
async def test_content_goes_to_the_bucket_and_comes_back(
    kept: Blobs, database: Database, s3: str, bucket: str, size: int, tmp_path: Path
) -> None:
    content = os.urandom(size)
    file = await file_of(database, kept, content)
    assert (await file_of(database, kept, content)).digest == file.digest == hashlib.sha256(content).hexdigest()
    assert len(names(s3, bucket)) == 1
    assert names(s3, bucket)[0].startswith(f"some/prefix/{file.digest[:2]}/{file.digest}-")
    assert b"".join([chunk async for chunk in kept.read(file.digest)]) == content
    assert b"".join([chunk async for chunk in kept.read(file.digest, 10, 500)]) == content[10:500]
    path = await kept.local_path(file.digest, tmp_path / "copies")
    assert path.parent == tmp_path / "copies"
    assert path.read_bytes() == content


async def test_deleted_content_leaves_the_bucket(kept: Blobs, database: Database, s3: str, bucket: str) -> None:
    files = [await file_of(database, kept, b"content %d" % number) for number in range(5)]
    for file in files:
        await Files(database).delete("green", file.id)
    assert len(names(s3, bucket)) == 5
    await kept.sweep()
    assert names(s3, bucket) == []
    with pytest.raises(NotFound):
        await anext(kept.read(files[0].digest))


async def test_objects_that_no_row_knows_leave_the_bucket(
    kept: Blobs, database: Database, s3: str, bucket: str
) -> None:
    await file_of(database, kept, b"known")
    lost = f"some/prefix/ab/{'ab' * 32}-{'0' * 16}"
    for key in (lost, "some/prefix/readme", f"ab/{'ab' * 32}-{'0' * 16}"):
        _client(s3).put_object(Bucket=bucket, Key=key, Body=b"?")
    await asyncio.sleep(2)  # S3 knows the time of an object in whole seconds
    await kept.sweep()
    assert lost not in names(s3, bucket)
    assert len(names(s3, bucket)) == 3


async def test_a_storage_that_fails_is_told_without_its_secrets(database: Database, tmp_path: Path, s3: str) -> None:
    options = {**SECRETS, "endpoint": s3, "allow_http": "true"}
    kept = Blobs.open(StorageSettings(url="s3://no-such-bucket", options=options), tmp_path, database)
    try:
        with pytest.raises(Unavailable) as caught:
            await kept.put(stream(b"content"))
        assert "bucket" not in caught.value.message
    finally:
        await kept.close()


@pytest.mark.parametrize(
    ("url", "options", "name"),
    [
        ("s3://bucket/prefix", SECRETS, "S3Store"),
        ("az://container/prefix", {"account_name": "me", "account_key": "c2VjcmV0"}, "AzureStore"),
        ("abfss://container@account.dfs.core.windows.net/prefix", {"account_key": "c2VjcmV0"}, "AzureStore"),
        ("gs://bucket/prefix", {"skip_signature": "true"}, "GCSStore"),
    ],
)
def test_an_address_leads_to_its_storage(tmp_path: Path, url: str, options: dict[str, str], name: str) -> None:
    storage = open_storage(StorageSettings(url=url, options={**options, "timeout": "5s"}), tmp_path, Threads())
    assert type(storage._store()).__name__ == name
    assert storage.staging == tmp_path / "staging"


async def test_a_folder_may_be_named_by_its_address(database: Database, tmp_path: Path) -> None:
    kept = Blobs.open(StorageSettings(url=(tmp_path / "my files").as_uri()), tmp_path / "data", database)
    try:
        blob = await kept.put(stream(b"content"))
        assert (await kept.local_path(blob.digest, tmp_path)).is_relative_to(tmp_path / "my files")
    finally:
        await kept.close()


def test_an_address_that_is_none_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"storage\.url"):
        open_storage(StorageSettings(url="ftp://host/folder"), tmp_path, Threads())
