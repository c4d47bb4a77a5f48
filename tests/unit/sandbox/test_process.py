"""A sandbox is a Python with a memory, a folder and a screen."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from sandboxes import outcome, printed, sandbox_with
from smalt.sandbox.process import Sandbox, SandboxLost, SandboxRefused

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with sandbox_with(seconds=20) as made:
        yield made


async def whole(sandbox: Sandbox, path: str) -> bytes:
    (file,) = [file for file in await sandbox.files() if file.path == path]
    return b"".join([piece async for piece in sandbox.read(file)])


async def test_what_one_call_defines_the_next_one_finds(sandbox: Sandbox) -> None:
    assert await printed(sandbox, "def double(x): return 2 * x\nimport math") == ""
    assert await printed(sandbox, "print(double(21), math.floor(2.9))") == "42 2\n"


async def test_the_value_of_the_last_line_is_printed(sandbox: Sandbox) -> None:
    assert await printed(sandbox, "x = 6 * 7\nx") == "42\n"
    assert await printed(sandbox, "x = 1\nNone") == ""


async def test_an_error_is_told_with_the_line_that_made_it(sandbox: Sandbox) -> None:
    ran = await sandbox.run("print('before')\nvalue = 1 / 0")
    assert ran.status == "failed"
    assert ran.log.startswith("before\nTraceback")
    assert "value = 1 / 0" in ran.log
    assert "ZeroDivisionError" in ran.log
    assert "interpreter.py" not in ran.log
    wrong = await sandbox.run("for")
    assert wrong.status == "failed"
    assert wrong.log.startswith('  File "<call 2>", line 1')
    assert "SyntaxError" in wrong.log
    assert await printed(sandbox, "print('after')") == "after\n"


async def test_numpy_pandas_and_matplotlib_are_there(sandbox: Sandbox) -> None:
    code = "import numpy as np, pandas as pd\nframe = pd.DataFrame({'n': np.arange(4)})\nprint(frame.n.sum())"
    assert await printed(sandbox, code) == "6\n"
    ran = await sandbox.run("import matplotlib.pyplot as plt\nplt.plot(frame.n)\nplt.show()\nplt.hist(frame.n);")
    assert ran.status == "completed", ran.log
    assert [figure[:8] for figure in ran.figures] == [PNG, PNG]
    assert (await sandbox.run("1")).figures == []


async def test_files_go_in_and_out(sandbox: Sandbox) -> None:
    await sandbox.write("in/data.csv", b"1,2\n", is_first=True)
    await sandbox.write("in/data.csv", b"3,4\n" * 400_000, is_first=False)
    code = "text = open('/mnt/data/in/data.csv').read()\nopen('out.txt', 'w').write(text[:4])\nlen(text)"
    assert await printed(sandbox, code) == "1600004\n"
    assert await whole(sandbox, "out.txt") == b"1,2\n"
    assert await whole(sandbox, "in/data.csv") == b"1,2\n" + b"3,4\n" * 400_000
    await sandbox.write("empty", b"", is_first=True)
    assert await whole(sandbox, "empty") == b""
    await sandbox.remove("in/data.csv")
    assert sorted(file.path for file in await sandbox.files()) == ["empty", "out.txt"]


async def test_a_stamp_changes_with_the_content(sandbox: Sandbox) -> None:
    await sandbox.write("a", b"one", is_first=True)
    (before,) = await sandbox.files()
    assert await sandbox.files() == [before]
    await printed(sandbox, "open('a', 'w').write('two')")
    (after,) = await sandbox.files()
    assert (after.bytes, after.stamp != before.stamp) == (3, True)


async def test_code_that_takes_too_long_is_stopped_and_its_variables_stay() -> None:
    async with sandbox_with(seconds=0.5) as sandbox:
        ran = await sandbox.run("kept = 1\nprint('here')\nwhile True: pass")
        assert ran.status == "timed_out"
        assert ran.log.startswith("here\n")
        assert "KeyboardInterrupt" in ran.log
        assert await printed(sandbox, "kept") == "1\n"


async def test_code_that_does_not_want_to_stop_is_ended() -> None:
    stubborn = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('never')\nwhile True: pass"
    async with sandbox_with(seconds=0.3) as sandbox:
        ran = await sandbox.run(stubborn)
        assert (ran.status, ran.log) == ("lost", "never\n")
        assert "did not stop" in ran.reason
        assert not sandbox.is_alive
        with pytest.raises(SandboxLost):
            await sandbox.files()


async def test_processor_time_is_bounded_over_all_calls() -> None:
    ran = await outcome("while True: pass", seconds=20, cpu_seconds=1)
    assert ran.status == "lost"


async def test_output_is_cut_and_says_so() -> None:
    ran = await outcome("for i in range(100000): print(i)", output_bytes=2000)
    assert ran.status == "completed"
    text, _, note = ran.log.rpartition("\n")
    assert text.startswith("0\n1\n2\n")
    assert 1900 < len(text) < 2100
    assert "more bytes were printed" in note


async def test_what_is_printed_between_calls_is_not_the_next_calls(sandbox: Sandbox) -> None:
    await printed(sandbox, "import threading\nthreading.Timer(0.2, print, ['late']).start()")
    await asyncio.sleep(0.5)
    assert await printed(sandbox, "print('now')") == "now\n"


async def test_leaving_the_program_is_no_failure(sandbox: Sandbox) -> None:
    assert (await sandbox.run("print(1)\nexit()")).log == "1\n"
    assert await printed(sandbox, "print(2)") == "2\n"
    ran = await sandbox.run("import os\nprint('bye', flush=True)\nos._exit(3)")
    assert (ran.status, ran.log) == ("lost", "bye\n")


async def test_giving_up_waiting_ends_the_code(sandbox: Sandbox) -> None:
    running = asyncio.create_task(sandbox.run("while True: pass"))
    await asyncio.sleep(0.2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    async with asyncio.timeout(10):
        await sandbox._process.wait()


async def test_a_file_that_is_not_there_is_refused(sandbox: Sandbox) -> None:
    await sandbox.write("a", b"one", is_first=True)
    (file,) = await sandbox.files()
    await sandbox.remove("a")
    with pytest.raises(SandboxRefused, match="FileNotFoundError"):
        _ = [piece async for piece in sandbox.read(file)]
    assert await printed(sandbox, "1") == "1\n"


async def test_a_file_that_does_not_fit_is_refused() -> None:
    async with sandbox_with(files_bytes=2**20) as sandbox:
        await sandbox.write("big", bytes(2**20 - 5000), is_first=True)
        with pytest.raises(SandboxRefused):
            await sandbox.write("big", bytes(2**20), is_first=False)
        assert await printed(sandbox, "1") == "1\n"
