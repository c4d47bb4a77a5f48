"""Code in a sandbox that tries to get out, to see the host, or to take more than its share."""

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandboxes import outcome, printed, sandbox_with
from smalt.sandbox.process import Sandbox

SYSTEM_CALL = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    ctypes.set_errno(0)
    result = getattr(libc, name)(*arguments)
    return 'done' if result >= 0 else ctypes.get_errno()
"""
NOT_PERMITTED = "1\n"
FINDING = """
import importlib.util
def found(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:
        return False
"""


def about_null() -> tuple[int, int]:
    about = Path("/dev/null").stat()
    return about.st_mode, about.st_uid


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with sandbox_with(seconds=30) as made:
        yield made


@pytest.mark.parametrize("kind", ["AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET", "AF_VSOCK"])
async def test_there_is_no_network(sandbox: Sandbox, kind: str) -> None:
    ran = await sandbox.run(f"import socket\nsocket.socket(socket.{kind}, socket.SOCK_DGRAM)")
    assert ran.status == "failed"
    assert "PermissionError" in ran.log


async def test_a_server_of_the_host_cannot_be_reached(sandbox: Sandbox) -> None:
    """Sockets with abstract names have no file that could be hidden."""
    name = f"\0smalt-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(name)
        listener.listen()
        with socket.socket(socket.AF_UNIX) as here:
            here.connect(name)
        code = f"import socket\nsocket.socket(socket.AF_UNIX).connect({name!r})"
        assert "ConnectionRefusedError" in (await sandbox.run(code)).log


async def test_the_hosts_files_are_not_there(sandbox: Sandbox, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the key")
    paths = [
        str(secret),
        __file__,
        "/etc/passwd",
        "/etc/hostname",
        "/proc/self/environ",
        "/sys",
        "/run",
        "/var",
        "/home",
    ]
    code = f"import os\n[path for path in {paths!r} if os.path.exists(path)]"
    assert await printed(sandbox, code) == "[]\n"


async def test_the_servers_own_code_and_settings_are_not_there(sandbox: Sandbox) -> None:
    names = ["smalt.core", "smalt.store", "smalt.cli", "sqlalchemy", "fastapi"]
    assert await printed(sandbox, FINDING + f"[name for name in {names!r} if found(name)]") == "[]\n"
    assert "SMALT" not in await printed(sandbox, "import os; print(dict(os.environ))")


async def test_a_link_does_not_lead_out(sandbox: Sandbox) -> None:
    await printed(sandbox, "import os\nos.symlink('/etc/passwd', 'users')\nos.symlink('/', 'root')\nos.mkdir('empty')")
    assert await sandbox.files() == []
    assert "PermissionError" in (await sandbox.run("os.mkfifo('pipe')")).log


async def test_nothing_but_its_folders_can_be_written(sandbox: Sandbox) -> None:
    code = """
import os
wrong = []
for folder in ['/', '/dev', '/etc', '/opt/agent', '/opt/packages', '/mnt', os.path.dirname(os.__file__), '/usr/lib']:
    try:
        open(folder + '/new', 'w')
        wrong.append(folder)
    except OSError:
        pass
open('/mnt/data/new', 'w'), open('/tmp/new', 'w')
wrong
"""
    assert await printed(sandbox, code) == "[]\n"


async def test_the_hosts_devices_stay_as_they_are(sandbox: Sandbox) -> None:
    """Where the server runs as root, they belong to whom the code runs as."""
    before = about_null()
    code = "import os\nos.chmod('/dev/null', 0)\nos.setxattr('/dev/null', 'user.x', b'y')\n"
    await sandbox.run(code + SYSTEM_CALL + "call('syscall', 452, -100, b'/dev/null', 0, 0)")
    assert about_null() == before
    assert stat.S_IMODE(before[0]) & 0o666 == 0o666


@pytest.mark.parametrize(
    "attempt",
    [
        "import os; os.fork()",
        "import os; os.posix_spawn('/bin/sh', ['sh'], {})",
        "import subprocess, sys; subprocess.run([sys.executable, '-c', ''])",
        "import multiprocessing; multiprocessing.Process(target=print).start()",
    ],
)
async def test_no_other_process_can_be_started(sandbox: Sandbox, attempt: str) -> None:
    ran = await sandbox.run(attempt)
    assert ran.status == "failed", ran
    assert "Error" in ran.log
    assert await printed(sandbox, "1") == "1\n"


@pytest.mark.parametrize(
    "attempt",
    [
        "call('unshare', 0x10000000)",
        "call('ptrace', 16, 1, 0, 0)",
        "call('mount', b'none', b'/tmp', b'tmpfs', 0, None)",
        "call('chroot', b'/tmp')",
        "call('memfd_create', b'x', 0)",
        "call('syscall', 250, 0, -3, 0)",
        "call('syscall', 425, 8, 0)",
        "call('syscall', 321, 0, 0, 0)",
        "call('syscall', 0x40000000 | 39)",
        "call('personality', 0x0040000)",
    ],
)
async def test_the_kernel_is_not_asked_for_other_powers(sandbox: Sandbox, attempt: str) -> None:
    if "syscall" in attempt and os.uname().machine != "x86_64":
        pytest.skip("the number is that of another processor")
    assert await printed(sandbox, SYSTEM_CALL + attempt) == NOT_PERMITTED


async def test_nobody_outside_hears_its_signals(sandbox: Sandbox) -> None:
    assert "ProcessLookupError" in (await sandbox.run(f"import os; os.kill({os.getpid()}, 9)")).log
    ran = await sandbox.run("import os; os.kill(1, 9); print('still there', flush=True); os.kill(-1, 9)")
    assert ran.log.startswith("still there\n")
    assert sandbox._process.returncode is None or ran.status == "lost"


async def test_memory_is_bounded_and_asking_for_more_is_an_ordinary_error(sandbox: Sandbox) -> None:
    ran = await sandbox.run("kept = 1\nheld = []\nwhile True: held.append(bytearray(2**26))")
    assert ran.status == "failed"
    assert "MemoryError" in ran.log
    assert await printed(sandbox, "del held; kept") == "1\n"


async def test_memory_that_is_shared_counts_too() -> None:
    code = "import mmap\nheld = []\nfor i in range(64): held.append(mmap.mmap(-1, 2**26)); held[-1].write(bytes(2**26))"
    ran = await outcome(code, memory_bytes=2**29, seconds=30)
    assert ran.status in ("failed", "lost")
    assert "memory" in (ran.log + ran.reason).lower()


async def test_limits_cannot_be_raised(sandbox: Sandbox) -> None:
    code = "import resource\nresource.setrlimit(resource.RLIMIT_{}, (-1, -1))"
    for name in ("DATA", "AS", "CPU", "FSIZE", "NPROC", "NOFILE", "CORE"):
        assert "ValueError" in (await sandbox.run(code.format(name))).log, name


async def test_the_disk_is_bounded_in_bytes(tmp_path: Path) -> None:
    code = "for i in range(64): open(f'{}/{i}', 'wb').write(bytes(2**20))"
    async with sandbox_with(files_bytes=2**24, seconds=30) as sandbox:
        assert "No space left" in (await sandbox.run(code.replace("{}", "/mnt/data"))).log
        assert "No space left" in (await sandbox.run(code.replace("{}", "/tmp").replace("64", "200"))).log
        assert await printed(sandbox, "1") == "1\n"


async def test_the_disk_is_bounded_in_files() -> None:
    ran = await outcome("for i in range(10**7): open(f'/tmp/{i}', 'w').close()", seconds=100)
    assert ran.status == "lost"
    assert "files" in ran.reason


async def test_threads_are_bounded() -> None:
    code = """
import threading, time
threading.stack_size(2**16)
for i in range(100000): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
"""
    ran = await outcome(code, seconds=30)
    assert ran.status in ("failed", "lost")
    assert "thread" in ran.log + ran.reason


async def test_nonsense_on_the_pipe_to_the_host_ends_the_sandbox_alone() -> None:
    for noise in (b"\xff" * 64, b"\x02\x00\x00\x00\xff\xff\xff\x7f{}", b"\x02\x00\x00\x00\x00\x00\x00\x00[]"):
        code = f"import os\nfor fd in range(3, 64):\n  try: os.write(fd, {noise!r})\n  except OSError: pass"
        ran = await outcome(code, seconds=10)
        assert ran.status == "lost", noise


async def test_the_answer_of_an_impostor_is_only_an_answer() -> None:
    """Code may end its own call early; the host takes nothing from it but a status and a log."""
    code = """
import os, sys
from smalt.sandbox.agent.framing import pack
for fd in range(3, 64):
    try: os.write(fd, pack({'status': ['x'], 'files': 'many'}))
    except OSError: pass
"""
    ran = await outcome(code, seconds=10)
    assert ran.status == "failed"
    assert ran.figures == []


async def test_a_listing_with_names_outside_of_the_folder_is_not_believed(sandbox: Sandbox) -> None:
    code = """
from smalt.sandbox.agent.interpreter import Interpreter
names = ['../up', '/etc/passwd', 'a/../../b', 'new\\nline', '', 'x' * 5000]
import gc
for one in gc.get_objects():
    if isinstance(one, Interpreter):
        told = one
for one in gc.get_objects():
    if isinstance(one, dict) and 'list' in one and 'put' in one and 'read' in one:
        more = [['good', 1, 1], ['huge', 2**60, 1], ['less', -1, 1]]
        one['list'] = lambda *_: told.answer({'files': [[name, 1, 1] for name in names] + more})
"""
    await printed(sandbox, code)
    assert [file.path for file in await sandbox.files()] == ["good"]


ORPHAN = """
import asyncio, sys
from smalt.sandbox.bubblewrap import Bubblewrap
from smalt.sandbox.limits import Limits
from smalt.sandbox.process import Sandbox

async def main():
    sandbox = await Sandbox.start(Bubblewrap().require(), Limits())
    await sandbox.run("import ctypes; ctypes.CDLL(None).prctl(1, 0)")
    sandbox.stop()
    print(sandbox._pid, flush=True)
    await asyncio.sleep(300)

asyncio.run(main())
"""


def test_it_ends_with_the_server_even_when_it_does_not_want_to() -> None:
    with subprocess.Popen([sys.executable, "-c", ORPHAN], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        pid = int(server.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        server.send_signal(signal.SIGKILL)
    pause = threading.Event()
    for _ in range(500):
        if not Path(f"/proc/{pid}").exists():
            break
        pause.wait(0.01)
    else:
        os.kill(pid, signal.SIGKILL)
        raise AssertionError("the sandbox outlived its server")


async def test_many_sandboxes_know_nothing_of_each_other() -> None:
    async with sandbox_with() as one, sandbox_with() as other:
        await printed(one, "open('mine', 'w').write('x'); open('/tmp/mine', 'w').write('x')")
        assert await printed(other, "import os; os.listdir('.') + os.listdir('/tmp')") == "[]\n"
