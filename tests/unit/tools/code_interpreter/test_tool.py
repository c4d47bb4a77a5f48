"""The code interpreter in a real sandbox over a real store: what the model reads, what the client sees, what stays."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from smalt.app.opening import Rooms, open_rooms
from smalt.core.errors import InvalidRequest, NotFound, NotInstalled
from smalt.core.settings import CodeInterpreterSettings, Settings
from smalt.engines.host.launcher import start_host
from smalt.store.containers import NewContainer
from smalt.store.files import Files, NewFile, StoredFile
from smalt.tools.code_interpreter import CodeInterpreter
from tool_runs import Called, call

Json = dict[str, Any]
ITEM = "CodeInterpreterToolCallItemResource"
AUTO: Json = {"type": "code_interpreter", "container": {"type": "auto"}}


@pytest.fixture(params=["in this process", "in the worker"])
async def rooms(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Rooms]:
    """The rooms of a server, without an engine host and with one."""
    settings = Settings(data_dir=tmp_path, starter=False, code_interpreter=CodeInterpreterSettings(seconds=20))
    async with AsyncExitStack() as stack:
        socket = None
        if request.param == "in the worker":
            socket = stack.enter_context(start_host(settings)).socket_path
        yield await open_rooms(settings, stack, host_socket=socket)


@pytest.fixture
async def plain_rooms(tmp_path: Path) -> AsyncIterator[Rooms]:
    async with AsyncExitStack() as stack:
        yield await open_rooms(Settings(data_dir=tmp_path, starter=False), stack, host_socket=None)


def interpreter(rooms: Rooms, tool: Json = AUTO) -> CodeInterpreter:
    return CodeInterpreter(rooms.containers, "green", tool)


async def run(rooms: Rooms, code: str, tool: Json = AUTO, items: Any = ()) -> Called:
    return await call(interpreter(rooms, tool), {"code": code}, items, schema=ITEM)


async def uploaded(rooms: Rooms, content: bytes, name: str) -> StoredFile:
    async def stream() -> AsyncIterator[bytes]:
        yield content

    blob = await rooms.blobs.put(stream())
    return await Files(rooms.database).create("green", NewFile(blob=blob, filename=name, purpose="assistants"))


async def content_of(rooms: Rooms, container_id: str, file_id: str) -> bytes:
    container = await rooms.containers.rows.get("green", container_id)
    file = await rooms.containers.files.get(container.sequence, file_id)
    return b"".join([piece async for piece in rooms.blobs.read(file.digest)])


async def test_a_call_tells_its_code_as_it_comes_and_then_what_it_printed(rooms: Rooms) -> None:
    called = await run(rooms, "print(6 * 7)")
    deltas = called.types.count("code_interpreter_call_code.delta")
    assert deltas > 2
    assert called.types == [
        "output_item.added",
        "code_interpreter_call.in_progress",
        *["code_interpreter_call_code.delta"] * deltas,
        "code_interpreter_call_code.done",
        "code_interpreter_call.interpreting",
        "code_interpreter_call.completed",
        "output_item.done",
    ]
    assert called.outcome.text == "42"
    item = called.item
    assert (item["status"], item["code"], item["outputs"]) == (
        "completed",
        "print(6 * 7)",
        [{"type": "logs", "logs": "42"}],
    )
    assert item["container_id"].startswith("cntr_")


async def test_a_later_response_goes_on_where_the_last_one_was(rooms: Rooms) -> None:
    first = await run(rooms, "x = 41\nopen('note.txt', 'w').write('hello')")
    second = await run(rooms, "print(x + 1, open('note.txt').read())", items=[first.item])
    assert second.outcome.text == "42 hello"
    assert second.item["container_id"] == first.item["container_id"]
    assert (await run(rooms, "'x' in globals()")).outcome.text == "False"


async def test_files_are_brought_in_and_what_is_written_is_cited_and_kept(rooms: Rooms) -> None:
    file = await uploaded(rooms, b"n\n1\n2\n3\n", "numbers.csv")
    tool: Json = {"type": "code_interpreter", "container": {"type": "auto", "file_ids": [file.id]}}
    offered = interpreter(rooms, tool)
    code = "import pandas as pd\ntable = 2 * pd.read_csv('numbers.csv')\ntable.to_csv('double.csv', index=False)"
    called = await call(offered, {"code": code}, schema=ITEM)
    assert "numbers.csv" in offered.functions()[0].description
    assert called.outcome.text == "[Files written: /mnt/data/double.csv]"
    (source,) = called.outcome.sources
    container_id = called.item["container_id"]
    assert source.annotation == {
        "type": "container_file_citation",
        "container_id": container_id,
        "file_id": source.annotation["file_id"],
        "filename": "double.csv",
    }
    assert await content_of(rooms, container_id, source.annotation["file_id"]) == b"n\n2\n4\n6\n"


async def test_a_figure_is_shown_and_kept(rooms: Rooms) -> None:
    called = await run(rooms, "import matplotlib.pyplot as plt\nplt.plot([1, 4, 9])\nplt.show()")
    (image,) = called.item["outputs"]
    png = base64.b64decode(image["url"].removeprefix("data:image/png;base64,"))
    assert png.startswith(b"\x89PNG")
    (source,) = called.outcome.sources
    annotation = source.annotation
    assert annotation["filename"] == f"{annotation['file_id']}.png"
    assert await content_of(rooms, annotation["container_id"], annotation["file_id"]) == png
    assert "1 figure" in called.outcome.text


async def test_an_interpreter_that_was_lost_leaves_the_files(rooms: Rooms) -> None:
    first = await run(rooms, "x = 1\nopen('kept.txt', 'w').write('kept')")
    lost = await run(rooms, "import os; os._exit(1)", items=[first.item])
    assert lost.item["status"] == "failed"
    assert "variables are gone" in lost.outcome.text
    after = await run(rooms, "print('x' in globals(), open('kept.txt').read())", items=[first.item])
    assert after.outcome.text == "False kept"


async def test_changes_from_outside_reach_a_running_interpreter(rooms: Rooms) -> None:
    first = await run(rooms, "open('a.txt', 'w').write('a')\nopen('b.txt', 'w').write('b')")
    container = await rooms.containers.rows.get("green", first.item["container_id"])
    a, _ = await rooms.containers.files.all(container.sequence)
    await rooms.containers.files.delete(container.sequence, a.id)
    file = await uploaded(rooms, b"c", "c.txt")
    await rooms.containers.files.copy(container.sequence, "green", [file.id], most_bytes=1000)
    second = await run(rooms, "import os; print(sorted(os.listdir())); os.remove('b.txt')", items=[first.item])
    assert second.outcome.text == "['b.txt', 'c.txt']"
    assert [one.path for one in await rooms.containers.files.all(container.sequence)] == ["c.txt"]


async def test_a_container_that_is_deleted_stops(rooms: Rooms) -> None:
    first = await run(rooms, "x = 1")
    await rooms.containers.delete("green", first.item["container_id"])
    anew = await run(rooms, "'x' in globals()", items=[first.item])
    assert anew.item["container_id"] != first.item["container_id"]
    assert anew.outcome.text == "False"


async def test_errors_of_the_code_are_for_the_model_to_read(plain_rooms: Rooms) -> None:
    called = await run(plain_rooms, "1 / 0")
    assert called.item["status"] == "completed"
    assert "ZeroDivisionError" in called.outcome.text
    empty = await call(interpreter(plain_rooms), "{}", schema=ITEM)
    assert (empty.item["status"], "Nothing was run" in empty.outcome.text) == ("failed", True)


async def test_a_long_log_is_cut_in_the_middle_for_the_model(plain_rooms: Rooms) -> None:
    called = await run(plain_rooms, "print('first')\nfor i in range(9999): print(i)\n1 / 0")
    assert len(called.outcome.text) < 9000
    assert called.outcome.text.startswith("first\n")
    assert called.outcome.text.endswith("ZeroDivisionError: division by zero")
    assert len(called.item["outputs"][0]["logs"]) > 40_000


async def test_a_named_container_is_used_as_it_is(plain_rooms: Rooms) -> None:
    made = await plain_rooms.containers.create("green", NewContainer(name="mine"))
    called = await run(plain_rooms, "print(1)", {"type": "code_interpreter", "container": made.id})
    assert called.item["container_id"] == made.id


@pytest.mark.parametrize(
    ("container", "error", "told"),
    [
        ("cntr_none", NotFound, "cntr_none"),
        ({"type": "auto", "file_ids": ["file-none"]}, NotFound, "file-none"),
        ({"type": "auto", "memory_limit": "64g"}, InvalidRequest, "code_interpreter.memory_bytes"),
        ({"type": "auto", "network_policy": {"type": "allowlist"}}, InvalidRequest, "network_policy"),
    ],
)
async def test_what_cannot_be_had_is_refused_before_anything_runs(
    plain_rooms: Rooms, container: Any, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        await run(plain_rooms, "1", {"type": "code_interpreter", "container": container})


async def test_without_a_sandbox_the_tool_is_refused(tmp_path: Path) -> None:
    code = CodeInterpreterSettings(bwrap=tmp_path / "none")
    settings = Settings(data_dir=tmp_path, starter=False, code_interpreter=code)
    async with AsyncExitStack() as stack:
        rooms = await open_rooms(settings, stack, host_socket=None)
        with pytest.raises(NotInstalled, match="user namespaces"):
            await run(rooms, "1")


async def test_several_calls_at_once_take_turns(plain_rooms: Rooms) -> None:
    made = await plain_rooms.containers.create("green", NewContainer(name="mine"))
    code = "count = globals().get('count', 0) + 1\ncount"
    containers = plain_rooms.containers
    done = await asyncio.gather(*(containers.run("green", made.id, code) for _ in range(4)))
    assert sorted(one.ran.log for one in done) == ["1\n", "2\n", "3\n", "4\n"]
    assert [one.is_new for one in done].count(True) == 1
