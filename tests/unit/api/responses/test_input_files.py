"""How files and images that a request names are read: stored ones, sent ones, and those at an address."""

import asyncio
import base64
import socket
from typing import Any

import pytest
from aiohttp import web

from asked_plans import items_of
from documents import docx, pdf
from loopback import web_service
from planning_rooms import keep_file, planning_rooms
from smalt.api.file_urls import FileUrls
from smalt.api.responses.messages import chat_messages
from smalt.core.errors import InvalidRequest, NotFound

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture
async def rooms(tmp_path):
    async with planning_rooms(tmp_path) as rooms:
        yield rooms


def message(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


async def told(rooms: Any, *items: dict[str, Any]) -> Any:
    """What the model is told of the last item."""
    return chat_messages(await rooms.input_files.read("p", items_of(*items)))[-1]["content"]


async def test_a_stored_document_is_read_with_its_name(rooms):
    file_id = await keep_file(rooms, "cats.pdf", pdf("Cats purr.", "Dogs bark."))
    text = await told(rooms, message({"type": "input_file", "file_id": file_id}))
    assert text.startswith('<file name="cats.pdf">')
    assert text.index("Cats purr.") < text.index("Dogs bark.")


@pytest.mark.parametrize("prefix", ["", "data:application/vnd.openxmlformats-officedocument;base64,"])
async def test_a_document_that_is_sent_along_is_read(rooms, prefix):
    data = prefix + base64.b64encode(docx(("", "Cats purr."))).decode()
    text = await told(rooms, message({"type": "input_file", "filename": "cats.docx", "file_data": data}))
    assert text == '<file name="cats.docx">\nCats purr.\n</file>'


async def test_a_stored_image_becomes_a_data_url_in_a_message_an_output_and_a_screenshot(rooms):
    file_id = await keep_file(rooms, "dot.png", PNG)
    url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    shown = [{"type": "image_url", "image_url": {"url": url, "detail": "auto"}}]
    picture = {"type": "input_image", "file_id": file_id}
    assert await told(rooms, message(picture)) == shown
    call = {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"}
    assert await told(rooms, call, {"type": "function_call_output", "call_id": "c", "output": [picture]}) == shown
    action = {"type": "computer_call", "call_id": "c", "action": {"type": "screenshot"}, "pending_safety_checks": []}
    screen = {"type": "computer_screenshot", "file_id": file_id}
    output = {"type": "computer_call_output", "call_id": "c", "output": screen}
    assert await told(rooms, action, output) == [{"type": "image_url", "image_url": {"url": url}}]


async def test_what_was_read_once_is_not_read_again(rooms):
    file_id = await keep_file(rooms, "cats.txt", b"Cats purr.")
    first = await rooms.input_files.read("p", items_of(message({"type": "input_file", "file_id": file_id})))
    again = await rooms.input_files.read("somebody else", first)
    assert again == first
    assert again[0] is first[0]


async def test_items_without_files_stay_the_same(rooms):
    items = items_of({"role": "user", "content": "Hi"})
    assert (await rooms.input_files.read("p", items))[0] is items[0]


@pytest.mark.parametrize(
    ("part", "param", "failure"),
    [
        ({"type": "input_file", "file_id": "file-none"}, "input[1].content[1].file_id", NotFound),
        ({"type": "input_image", "file_id": "file-none"}, "input[1].content[1].file_id", NotFound),
        ({"type": "input_file", "file_data": "no base64!"}, "input[1].content[1].file_data", InvalidRequest),
        ({"type": "input_file", "file_data": "AAECAwQF"}, "input[1].content[1]", InvalidRequest),
        ({"type": "input_file", "file_url": "ftp://a.example/b"}, "input[1].content[1].file_url", InvalidRequest),
    ],
)
async def test_what_cannot_be_read_is_refused_by_its_place(rooms, part, param, failure):
    items = items_of({"role": "user", "content": "Hi"}, message({"type": "input_text", "text": "Read:"}, part))
    with pytest.raises(failure) as refusal:
        await rooms.input_files.read("p", items)
    assert refusal.value.param == param


async def test_a_file_of_another_project_is_not_there(rooms):
    file_id = await keep_file(rooms, "cats.txt", b"Cats purr.", project="other")
    with pytest.raises(NotFound):
        await rooms.input_files.read("p", items_of(message({"type": "input_file", "file_id": file_id})))


async def test_a_document_that_is_no_image_is_not_shown_as_one(rooms):
    file_id = await keep_file(rooms, "cats.txt", b"Cats purr.")
    with pytest.raises(InvalidRequest) as refusal:
        await rooms.input_files.read("p", items_of(message({"type": "input_image", "file_id": file_id})))
    assert refusal.value.code == "invalid_image_format"


async def test_nothing_is_left_on_disk(rooms):
    await told(rooms, message({"type": "input_file", "file_data": base64.b64encode(b"Cats purr.").decode()}))
    left = [path for path in (rooms.settings.data_dir / "run").rglob("*") if path.is_file()]
    assert [path.name for path in left] == ["lock"]


SITE: dict[str, dict[str, Any]] = {
    "/cats.txt": {"body": b"Cats purr."},
    "/named": {"body": b"Cats purr.", "headers": {"Content-Disposition": 'attachment; filename="c.md"'}},
    "/away": {"status": 302, "headers": {"Location": "/cats.txt"}},
    "/inside": {"status": 302, "headers": {"Location": "http://127.0.0.2:9/secret"}},
    "/round": {"status": 302, "headers": {"Location": "/round"}},
    "/large": {"body": bytes(51 * 2**20)},
}


async def answer(request: web.Request) -> web.StreamResponse:
    return web.Response(**SITE.get(request.path, {"status": 404}))


@pytest.fixture(scope="module")
def site():
    with web_service(answer) as url:
        yield url


async def fetched(url: str, path: Any, hosts: list[str] | None) -> tuple[str, bytes]:
    name = await FileUrls(hosts).fetch(url, path, param="file_url")
    return name, await asyncio.to_thread(path.read_bytes)


@pytest.mark.parametrize(("page", "name"), [("/cats.txt", "cats.txt"), ("/named", "c.md"), ("/away", "cats.txt")])
async def test_a_listed_host_is_asked_and_followed(site, tmp_path, page, name):
    port = site.rpartition(":")[2]
    for hosts in (["127.0.0.1"], [f"127.0.0.1:{port}"]):
        assert await fetched(site + page, tmp_path / "file", hosts) == (name, b"Cats purr.")


@pytest.mark.parametrize(
    ("page", "reason"), [("/none", "404"), ("/round", "leads on"), ("/large", "more than"), ("/inside", "not among")]
)
async def test_what_cannot_be_fetched_says_why(site, tmp_path, page, reason):
    with pytest.raises(InvalidRequest, match=reason) as refusal:
        await fetched(site + page, tmp_path / "file", ["127.0.0.1"])
    assert refusal.value.param == "file_url"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1"],
)
async def test_without_a_list_no_private_address_is_asked(tmp_path, host):
    with pytest.raises(InvalidRequest, match="no public address"):
        await fetched(f"http://{host}/secret", tmp_path / "file", None)


async def test_a_host_that_nobody_listed_is_not_asked(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with pytest.raises(InvalidRequest, match="not among them"):
            await fetched(f"http://127.0.0.1:{listener.getsockname()[1]}/", tmp_path / "file", ["a.example"])
        listener.settimeout(0.2)
        with pytest.raises(TimeoutError):
            listener.accept()


async def test_a_file_at_an_address_is_read(site, tmp_path):
    async with planning_rooms(tmp_path, responses={"file_hosts": ["127.0.0.1"]}) as rooms:
        text = await told(rooms, message({"type": "input_file", "file_url": f"{site}/cats.txt"}))
    assert text == '<file name="cats.txt">\nCats purr.\n</file>'
