"""Stories of files that are sent in parts, through the real client, on every mount."""

import asyncio
import hashlib
import io
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import openai
import pytest

from serving import Served

CONTENT = os.urandom(3_000_000)


def begin(client: openai.OpenAI, size: int = len(CONTENT), **fields: Any) -> Any:
    told: Any = {"filename": "noise.bin", "purpose": "assistants", "mime_type": "application/octet-stream", **fields}
    return client.uploads.create(bytes=size, **told)


def send(client: openai.OpenAI, upload_id: str, data: bytes) -> str:
    return client.uploads.parts.create(upload_id, data=data).id


def test_the_client_s_own_helper_sends_a_file_in_parts(client: openai.OpenAI, tmp_path: Any) -> None:
    path = tmp_path / "noise.bin"
    path.write_bytes(CONTENT)
    upload = client.uploads.upload_file_chunked(
        file=path, mime_type="application/octet-stream", purpose="assistants", part_size=1_000_000
    )
    assert (upload.status, upload.filename, upload.bytes) == ("completed", "noise.bin", len(CONTENT))
    assert upload.file
    assert (upload.file.bytes, upload.file.filename, upload.file.status) == (len(CONTENT), "noise.bin", "processed")
    assert client.files.content(upload.file.id).content == CONTENT


def test_parts_may_be_sent_at_once_and_are_joined_in_the_order_that_is_said(client: openai.OpenAI) -> None:
    upload = begin(client)
    assert (upload.object, upload.status, upload.file) == ("upload", "pending", None)
    assert upload.expires_at == upload.created_at + 3600
    pieces = [CONTENT[start : start + 500_000] for start in range(0, len(CONTENT), 500_000)]
    with ThreadPoolExecutor(4) as pool:
        ids = list(pool.map(lambda piece: send(client, upload.id, piece), reversed(pieces)))
    done = client.uploads.complete(upload.id, part_ids=ids[::-1], md5=hashlib.md5(CONTENT).hexdigest())
    assert client.files.content(done.file.id).content == CONTENT
    assert client.files.retrieve(done.file.id) == done.file


def test_a_part_says_where_it_belongs(client: openai.OpenAI) -> None:
    upload = begin(client)
    part = client.uploads.parts.create(upload.id, data=b"some bytes")
    assert (part.object, part.upload_id) == ("upload.part", upload.id)
    assert part.id.startswith("part_")
    assert upload.id.startswith("upload_")
    assert len(upload.id) == len("upload_") + 32


def test_parts_that_are_not_the_declared_file_are_refused_and_can_be_set_right(client: openai.OpenAI) -> None:
    upload = begin(client, 6)
    first, second = send(client, upload.id, b"abc"), send(client, upload.id, b"def")
    for part_ids, param in (([first], "part_ids"), ([first, first], "part_ids[1]"), (["part_x"], "part_ids[0]")):
        with pytest.raises(openai.BadRequestError) as caught:
            client.uploads.complete(upload.id, part_ids=part_ids)
        assert caught.value.param == param
    with pytest.raises(openai.BadRequestError, match="MD5") as wrong:
        client.uploads.complete(upload.id, part_ids=[first, second], md5="0" * 32)
    assert wrong.value.param == "md5"
    done = client.uploads.complete(upload.id, part_ids=[second, first])
    assert client.files.content(done.file.id).content == b"defabc"


def test_an_ended_upload_takes_nothing_more(client: openai.OpenAI) -> None:
    cancelled, completed = begin(client, 3), begin(client, 3)
    part = send(client, completed.id, b"abc")
    done = client.uploads.complete(completed.id, part_ids=[part])
    assert client.uploads.cancel(cancelled.id).status == "cancelled"
    for upload, word in ((cancelled, "cancelled"), (completed, done.file.id)):
        for use in (
            lambda upload=upload: client.uploads.parts.create(upload.id, data=b"abc"),
            lambda upload=upload: client.uploads.complete(upload.id, part_ids=[part]),
            lambda upload=upload: client.uploads.cancel(upload.id),
        ):
            with pytest.raises(openai.BadRequestError, match=word):
                use()


def test_the_parts_of_a_cancelled_upload_are_given_up(echo_server: Served) -> None:
    folder = echo_server.app.state.settings.data_dir / "blobs"
    content = os.urandom(1000)
    name = f"{hashlib.sha256(content).hexdigest()}-*"
    with openai.OpenAI(base_url=f"{echo_server.url}/v1", api_key=echo_server.key) as client:
        upload = begin(client)
        send(client, upload.id, content)
        assert len(list(folder.rglob(name))) == 1
        client.uploads.cancel(upload.id)
    asyncio.run(echo_server.app.state.rooms.blobs.sweep())
    assert list(folder.rglob(name)) == []


def test_a_file_made_of_parts_is_looked_through_and_expires_like_any_other(client: openai.OpenAI) -> None:
    line = b'{"custom_id": "a", "method": "POST", "url": "/v1/embeddings", "body": {}}\n'
    content = line * 2
    upload = begin(
        client,
        len(content),
        purpose="batch",
        filename="../requests.jsonl",
        expires_after={"anchor": "created_at", "seconds": 3600},
    )
    assert upload.filename == "requests.jsonl"
    parts = [send(client, upload.id, content[:50]), send(client, upload.id, content[50:])]
    file = client.uploads.complete(upload.id, part_ids=parts).file
    assert file
    assert (file.status, file.purpose) == ("error", "batch")
    assert "Line 2" in str(file.status_details)
    assert file.expires_at == file.created_at + 3600


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"purpose": "world_domination"}, "purpose"),
        ({"size": 8 * 2**30 + 1}, "bytes"),
        ({"size": -1}, "bytes"),
        ({"filename": ""}, "filename"),
        ({"expires_after": {"anchor": "created_at", "seconds": 1}}, "expires_after.seconds"),
    ],
)
def test_an_upload_that_cannot_become_a_file_is_refused(
    client: openai.OpenAI, fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        begin(client, **{"size": 3, **fields})
    assert caught.value.param == param


def test_an_upload_is_unknown_to_other_projects_and_before_it_is_made(
    client: openai.OpenAI, echo_server: Served
) -> None:
    _, key = asyncio.run(echo_server.app.state.keys.create(f"stranger-{os.urandom(4).hex()}", "elsewhere"))
    upload = begin(client)
    with openai.OpenAI(base_url=f"{echo_server.url}/v1", api_key=key, max_retries=0) as stranger:
        for someone, upload_id in ((stranger, upload.id), (client, "upload_unknown")):
            for use in (
                lambda: someone.uploads.parts.create(upload_id, data=b"abc"),  # noqa: B023 - called at once
                lambda: someone.uploads.complete(upload_id, part_ids=["part_x"]),  # noqa: B023 - called at once
                lambda: someone.uploads.cancel(upload_id),  # noqa: B023 - called at once
            ):
                with pytest.raises(openai.NotFoundError) as caught:
                    use()
                assert caught.value.param == "upload_id"


def test_a_part_has_a_limit_of_its_own(client: openai.OpenAI) -> None:
    upload = begin(client)
    with pytest.raises(openai.APIStatusError) as caught:
        client.uploads.parts.create(upload.id, data=io.BytesIO(bytes(64 * 2**20 + 1)))
    assert (caught.value.status_code, caught.value.param) == (413, "data")  # pyright: ignore[reportAttributeAccessIssue]


def test_a_form_without_a_part_is_refused(echo_server: Served) -> None:
    headers = {"api-key": echo_server.key}
    with openai.OpenAI(base_url=f"{echo_server.url}/v1", api_key=echo_server.key) as client:
        upload = begin(client)
    path = f"{echo_server.url}/v1/uploads/{upload.id}/parts"
    for files in ({"dat": b"abc"}, [("data", b"abc"), ("data", b"def")]):
        answer = httpx2.post(path, files=files, headers=headers)  # pyright: ignore[reportArgumentType]
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == "data"
