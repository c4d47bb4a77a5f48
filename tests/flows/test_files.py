"""Stories of files through the real client, on every mount."""

import asyncio
import io
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from serving import Served, serving
from smalt.core.settings import Settings

CHAT_LINE = b'{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}\n'


def upload(client: openai.OpenAI, content: bytes = b"Once upon a time.", name: str = "tale.txt", **fields: Any) -> Any:
    return client.files.create(file=(name, content), purpose=fields.pop("purpose", "assistants"), **fields)


@pytest.fixture
def stranger(echo_server: Served) -> Iterator[openai.OpenAI]:
    """A client whose key belongs to another project."""
    name = f"stranger-{time.monotonic_ns()}"
    _, key = asyncio.run(echo_server.app.state.keys.create(name, "elsewhere"))
    with openai.OpenAI(base_url=f"{echo_server.url}/v1", api_key=key, max_retries=0) as client:
        yield client


def is_azure(client: openai.OpenAI) -> bool:
    return "/openai" in str(client.base_url)


def test_a_file_comes_back_as_it_was_sent(client: openai.OpenAI) -> None:
    content = os.urandom(300_000)
    before = int(time.time())
    file = upload(client, content, "noise.bin")
    assert (file.object, file.filename, file.bytes, file.purpose) == ("file", "noise.bin", 300_000, "assistants")
    assert (file.status, file.status_details, file.expires_at) == ("processed", None, None)
    assert before <= file.created_at <= time.time()
    assert client.files.retrieve(file.id) == file
    assert client.files.content(file.id).content == content
    gone = client.files.delete(file.id)
    assert (gone.id, gone.object, gone.deleted) == (file.id, "file", True)
    for use in (client.files.retrieve, client.files.content, client.files.delete):
        with pytest.raises(openai.NotFoundError) as caught:
            use(file.id)
        assert caught.value.param == "id"
        assert file.id in caught.value.message


def test_an_id_has_the_shape_that_the_service_gives_it(client: openai.OpenAI) -> None:
    assistants, batch = upload(client).id, upload(client, purpose="batch").id
    if is_azure(client):
        assert assistants.startswith("assistant-")
        assert len(assistants) == len("assistant-") + 24
        assert len(batch) == len("file-") + 32
        assert int(batch.removeprefix("file-"), 16)
    else:
        assert (len(assistants), len(batch)) == (27, 27)
        assert assistants.startswith("file-")


def test_what_is_null_is_left_out_by_azure_and_written_by_openai(client: openai.OpenAI) -> None:
    shown = upload(client).model_dump(exclude_unset=True)
    assert ("expires_at" in shown, "status_details" in shown) == (not is_azure(client), not is_azure(client))


def test_classic_files_of_azure_itself_are_answered_with_their_place(echo_server: Served) -> None:
    client = openai.AzureOpenAI(azure_endpoint=echo_server.url, api_version="2024-10-21", api_key=echo_server.key)
    with client:
        made = client.files.with_raw_response.create(file=("a.jsonl", CHAT_LINE), purpose="fine-tune")
        assert made.status_code == 201
        assert made.headers["Location"] == f"{echo_server.url}/openai/files/{made.parse().id}"
        assert client.files.with_raw_response.create(file=("a.txt", b"a"), purpose="assistants").status_code == 200


@pytest.mark.parametrize("purpose", ["assistants", "batch", "fine-tune", "evals"])
def test_the_purposes_of_azure_are_known_on_every_mount(client: openai.OpenAI, purpose: Any) -> None:
    assert upload(client, purpose=purpose).purpose == purpose
    assert {file.purpose for file in client.files.list(purpose=purpose)} == {purpose}


@pytest.mark.parametrize("purpose", ["vision", "user_data"])
def test_openai_s_other_purposes_are_known_where_openai_s_api_is(client: openai.OpenAI, purpose: Any) -> None:
    if not is_azure(client):
        assert upload(client, purpose=purpose).purpose == purpose
        assert {file.purpose for file in client.files.list(purpose=purpose)} == {purpose}
        return
    with pytest.raises(openai.BadRequestError) as caught:
        upload(client, purpose=purpose)
    assert caught.value.param == "purpose"
    with pytest.raises(openai.BadRequestError):
        client.files.list(purpose=purpose)


def test_what_only_results_are_for_may_be_listed_and_not_uploaded(client: openai.OpenAI) -> None:
    assert list(client.files.list(purpose="batch_output")) == []
    with pytest.raises(openai.BadRequestError, match="batch_output") as caught:
        upload(client, purpose="batch_output")
    assert caught.value.param == "purpose"


def test_the_fields_of_a_form_may_stand_on_either_side_of_the_file(echo_server: Served) -> None:
    before = b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nassistants\r\n'
    file = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nabc\r\n'
    headers = {"api-key": echo_server.key, "Content-Type": "multipart/form-data; boundary=x"}
    for body in (before + file, file + before):
        answer = httpx2.post(f"{echo_server.url}/v1/files", content=body + b"--x--\r\n", headers=headers)
        assert answer.status_code == 200, answer.text
        assert (answer.json()["bytes"], answer.json()["filename"]) == (3, "a.txt")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nassistants\r\n--x--\r\n', "file"),
        (b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc\r\n--x--\r\n', "purpose"),
        (b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc\r\n', None),
        (b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\n\xff\r\n--x--\r\n', "purpose"),
        (b"--x\r\nContent-Transfer-Encoding: base64\r\n\r\nabc\r\n--x--\r\n", None),
        (b"nothing like a form", None),
        (b"", None),
        (b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc\r\n' * 2 + b"--x--\r\n", "file"),
        (
            b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\n' + b"a" * 20_000 + b"\r\n--x--\r\n",
            "purpose",
        ),
        (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n' * 101 + b"--x--\r\n", None),
    ],
)
def test_a_form_that_is_not_right_is_refused_with_a_reason(echo_server: Served, body: bytes, param: str | None) -> None:
    headers = {"api-key": echo_server.key, "Content-Type": "multipart/form-data; boundary=x"}
    answer = httpx2.post(f"{echo_server.url}/v1/files", content=body, headers=headers)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param


def test_a_body_that_is_no_form_is_refused_with_advice(echo_server: Served) -> None:
    headers = {"api-key": echo_server.key}
    answer = httpx2.post(f"{echo_server.url}/v1/files", json={"purpose": "batch"}, headers=headers)
    assert answer.status_code == 400
    assert "multipart/form-data" in answer.json()["error"]["message"]


def test_the_files_of_a_project_are_listed_page_by_page(tmp_path: Path) -> None:
    with serving(Settings(data_dir=tmp_path, starter=False)) as served:
        client = openai.OpenAI(base_url=f"{served.url}/openai/v1", api_key=served.key, max_retries=0)
        with client:
            empty = client.files.list()
            assert (empty.data, empty.has_more) == ([], False)
            ids = [upload(client, b"%d" % number).id for number in range(5)]
            first = client.files.list(limit=2, order="asc")
            assert [file.id for file in first.data] == ids[:2]
            assert (first.has_more, first.model_extra) == (
                True,
                {"first_id": ids[0], "last_id": ids[1]} | _named(first),
            )
            client.files.delete(ids[1])
            rest = client.files.list(limit=3, order="asc", after=ids[1])
            assert ([file.id for file in rest.data], rest.has_more) == (ids[2:], False)
            assert [file.id for file in client.files.list(limit=2)] == [ids[4], ids[3], ids[2], ids[0]]


def _named(page: Any) -> dict[str, Any]:
    return {name: value for name, value in (page.model_extra or {}).items() if name not in {"first_id", "last_id"}}


def test_a_cursor_that_nobody_knows_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.files.list(after="file-unknown")
    assert caught.value.param == "after"
    for limit in (0, 10_001):
        with pytest.raises(openai.BadRequestError) as refused:
            client.files.list(limit=limit)
        assert refused.value.param == "limit"


def test_another_project_sees_nothing_of_a_file(client: openai.OpenAI, stranger: openai.OpenAI) -> None:
    file = upload(client)
    assert file.id not in {one.id for one in stranger.files.list()}
    for use in (stranger.files.retrieve, stranger.files.content, stranger.files.delete):
        with pytest.raises(openai.NotFoundError):
            use(file.id)
    with pytest.raises(openai.NotFoundError):
        stranger.files.list(after=file.id)
    assert client.files.content(file.id).content == b"Once upon a time."


def test_two_projects_with_the_same_content_do_not_notice_each_other(
    client: openai.OpenAI, stranger: openai.OpenAI
) -> None:
    content = os.urandom(1000)
    mine, theirs = upload(client, content), upload(stranger, content)
    client.files.delete(mine.id)
    assert stranger.files.content(theirs.id).content == content


def test_a_file_may_be_given_a_time_to_expire(client: openai.OpenAI) -> None:
    file = upload(client, expires_after={"anchor": "created_at", "seconds": 3600})
    assert file.expires_at == file.created_at + 3600


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"expires_after[anchor]": "created_at", "expires_after[seconds]": "3599"}, "expires_after.seconds"),
        ({"expires_after[anchor]": "created_at", "expires_after[seconds]": "2592001"}, "expires_after.seconds"),
        ({"expires_after[anchor]": "created_at", "expires_after[seconds]": "soon"}, "expires_after.seconds"),
        ({"expires_after[anchor]": "last_active_at", "expires_after[seconds]": "3600"}, "expires_after.anchor"),
        ({"expires_after[anchor]": "created_at"}, "expires_after.seconds"),
        ({"expires_after[seconds]": "3600"}, "expires_after.anchor"),
        ({"expires_after": "tomorrow"}, "expires_after"),
    ],
)
def test_a_time_that_is_not_right_is_refused(echo_server: Served, fields: dict[str, str], param: str) -> None:
    answer = httpx2.post(
        f"{echo_server.url}/openai/v1/files",
        data={"purpose": "assistants", **fields},
        files={"file": ("a.txt", b"abc")},
        headers={"api-key": echo_server.key},
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


@pytest.mark.parametrize(
    "fields",
    [
        {"expires_after[anchor]": "created_at", "expires_after[seconds]": "7200"},
        {"expires_after.anchor": "created_at", "expires_after.seconds": "7200"},
        {"expires_after": '{"anchor": "created_at", "seconds": 7200}'},
    ],
)
def test_a_time_may_be_written_in_each_way_that_clients_have(echo_server: Served, fields: dict[str, str]) -> None:
    answer = httpx2.post(
        f"{echo_server.url}/openai/v1/files",
        data={"purpose": "assistants", **fields},
        files={"file": ("a.txt", b"abc")},
        headers={"api-key": echo_server.key},
    ).json()
    assert answer["expires_at"] == answer["created_at"] + 7200


def test_a_file_with_bad_lines_says_which_and_why(client: openai.OpenAI) -> None:
    good = upload(client, CHAT_LINE * 3, "good.jsonl", purpose="fine-tune")
    assert (good.status, good.status_details) == ("processed", None)
    bad = upload(client, CHAT_LINE + b"{oops\n" + CHAT_LINE + b"[]\n", "bad.jsonl", purpose="fine-tune")
    assert bad.status == "error"
    assert bad.status_details
    assert [line.split(":")[0] for line in bad.status_details.splitlines()] == ["Line 2", "Line 4"]
    assert client.files.retrieve(bad.id).status_details == bad.status_details


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("plain.txt", "plain.txt"),
        ('say "hi".txt', 'say "hi".txt'),
        ("Grüße aus 北京 🎉.txt", "Grüße aus 北京 🎉.txt"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\tale.txt", "tale.txt"),
        ("two\r\nlines.txt", "twolines.txt"),
        ("x" * 300 + ".pdf", "x" * 251 + ".pdf"),
        ("evil\u202etxt.exe", "eviltxt.exe"),
        ("..", "file"),
    ],
)
def test_a_file_s_name_is_kept_as_far_as_it_does_no_harm(client: openai.OpenAI, sent: str, kept: str) -> None:
    file = upload(client, name=sent)
    assert file.filename == kept
    disposition = client.files.content(file.id).response.headers["content-disposition"]
    assert disposition.startswith("attachment; filename=")
    assert "\n" not in disposition
    assert disposition.count('"') == 2
    assert disposition.isascii()


def test_content_can_be_had_in_ranges_and_not_at_all(client: openai.OpenAI) -> None:
    content = bytes(range(256)) * 4
    file = upload(client, content)
    get = client.files.with_raw_response.content
    whole = get(file.id)
    tag = whole.headers["etag"]
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["content-type"] == "application/octet-stream"
    for asked, start, end in (("0-9", 0, 10), ("1000-", 1000, 1024), ("-4", 1020, 1024), ("1020-9999", 1020, 1024)):
        part = get(file.id, extra_headers={"Range": f"bytes={asked}"})
        assert (part.status_code, part.content) == (206, content[start:end])
        assert part.headers["content-range"] == f"bytes {start}-{end - 1}/1024"
    ignored = ("lines=1-2", "bytes=9-3", "bytes=-", "bytes=a-b", "bytes=" + "9" * 40 + "-")
    assert {get(file.id, extra_headers={"Range": asked}).status_code for asked in ignored} == {200}
    assert get(file.id, extra_headers={"Range": "bytes=0-0", "If-Range": tag}).status_code == 206
    assert get(file.id, extra_headers={"Range": "bytes=0-0", "If-Range": '"other"'}).status_code == 200
    for asked in ("bytes=1024-", "bytes=0-1,5-6", "bytes=-0"):
        with pytest.raises(openai.APIStatusError) as caught:
            get(file.id, extra_headers={"Range": asked})
        assert caught.value.status_code == 416
        assert caught.value.response.headers["content-range"] == "bytes */1024"
    for known in (tag, f'"x", {tag}', f"W/{tag}", "*"):
        with pytest.raises(openai.APIStatusError) as unchanged:
            get(file.id, extra_headers={"If-None-Match": known})
        assert (unchanged.value.status_code, unchanged.value.response.content) == (304, b"")
        assert unchanged.value.response.headers["etag"] == tag


def test_the_same_content_has_the_same_tag(client: openai.OpenAI) -> None:
    tags = {client.files.content(upload(client, b"same").id).response.headers["etag"] for _ in range(2)}
    assert len(tags) == 1


def test_an_empty_file_is_a_file(client: openai.OpenAI) -> None:
    file = upload(client, b"")
    assert (file.bytes, file.status) == (0, "processed")
    assert client.files.content(file.id).content == b""


async def test_the_asynchronous_client_does_the_same(echo_server: Served) -> None:
    url, key = echo_server.url, echo_server.key
    clients = [
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key),
        openai.AsyncAzureOpenAI(azure_endpoint=url, api_version="2024-10-21", api_key=key),
    ]
    for client in clients:
        async with client:
            contents = [os.urandom(50_000) for _ in range(8)]
            files = await asyncio.gather(
                *(client.files.create(file=io.BytesIO(one), purpose="assistants") for one in contents)
            )
            read = await asyncio.gather(*(client.files.content(file.id) for file in files))
            assert [one.content for one in read] == contents
            assert [file.id async for file in client.files.list(limit=3)][:8] != []
            await asyncio.gather(*(client.files.delete(file.id) for file in files))


def test_a_file_larger_than_allowed_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, starter=False, limits={"upload_bytes": 2**20})
    with serving(settings) as served:
        client = openai.OpenAI(base_url=f"{served.url}/v1", api_key=served.key, max_retries=0)
        with client:
            assert upload(client, bytes(2**20)).bytes == 2**20
            for size in (2**20 + 1, 8 * 2**20):
                with pytest.raises(openai.APIStatusError) as caught:
                    upload(client, bytes(size))
                assert caught.value.status_code == 413
                assert "limits.upload_bytes" in caught.value.message
            assert len(client.files.list().data) == 1
    assert list((tmp_path / "blobs" / ".staging").iterdir()) == []


def test_an_upload_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    with serving(Settings(data_dir=tmp_path, starter=False)) as served:
        staging = tmp_path / "blobs" / ".staging"

        def content() -> Iterator[bytes]:
            yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
            for _ in range(4):
                yield bytes(2**20)
            wait_until(lambda: any(path.stat().st_size for path in staging.glob("*")))
            raise KeyboardInterrupt

        headers = {"api-key": served.key, "Content-Type": "multipart/form-data; boundary=x"}
        with pytest.raises(KeyboardInterrupt):
            httpx2.post(f"{served.url}/v1/files", content=content(), headers=headers)
        wait_until(lambda: not list(staging.glob("*")))
        client = openai.OpenAI(base_url=f"{served.url}/v1", api_key=served.key, max_retries=0)
        with client:
            assert client.files.list().data == []
    assert [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == []


def test_a_slow_line_is_no_slow_request(tmp_path: Path) -> None:
    limits = {"request_timeout_seconds": 1.5}

    def content(pauses: list[float]) -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nassistants\r\n'
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for pause in pauses:
            time.sleep(pause)
            yield b"slowly "
        yield b"\r\n--x--\r\n"

    with serving(Settings(data_dir=tmp_path, starter=False, limits=limits)) as served:
        headers = {"api-key": served.key, "Content-Type": "multipart/form-data; boundary=x"}
        slow = httpx2.post(f"{served.url}/v1/files", content=content([0.4] * 5), headers=headers)
        assert slow.status_code == 200
        assert slow.json()["bytes"] == 35
        stuck = httpx2.post(f"{served.url}/v1/files", content=content([3.0]), headers=headers)
        assert stuck.status_code == 504


def wait_until(is_so: Any) -> None:
    until = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.01)
