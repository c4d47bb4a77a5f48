"""A large file passes through a real server without ever being in its memory."""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import openai
import psutil
import pytest

SIZE = 300 * 2**20
BLOCK = os.urandom(2**20)
ROOM = 96 * 2**20
SMALT = (sys.executable, "-c", "from smalt.cli import main; main()")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, str, psutil.Process]]:
    """The address of `smalt serve`, a key, and its process."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SMALT_")}
    environment |= {
        "SMALT_DATA_DIR": str(tmp_path / "data"),
        "SMALT_STARTER": "false",
        "SMALT_CONFIG": str(tmp_path / "c"),
    }
    (tmp_path / "c").write_text("")
    made = subprocess.run([*SMALT, "keys", "create", "big", "--json"], env=environment, check=True, capture_output=True)
    key = json.loads(made.stdout)["key"]
    log = tmp_path / "log"
    with log.open("w") as output:
        process = subprocess.Popen([*SMALT, "serve", "--port", "0"], env=environment, stdout=output, stderr=output)
    watched = psutil.Process(process.pid)
    try:
        yield _address(watched, log), key, watched
    finally:
        process.terminate()
        process.wait(20)


def _address(process: psutil.Process, log: Path) -> str:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert process.is_running(), log.read_text()
        for one in [process, *process.children(recursive=True)]:
            for connection in one.net_connections(kind="tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    address = f"http://127.0.0.1:{connection.laddr.port}"
                    if _answers(address):
                        return address
        time.sleep(0.1)
    raise TimeoutError(log.read_text())


def _answers(address: str) -> bool:
    try:
        return httpx2.get(f"{address}/health").status_code == 200
    except httpx2.TransportError:
        return False


def peaks(process: psutil.Process) -> dict[int, int]:
    """The most memory that each of the server's processes has had."""
    found: dict[int, int] = {}
    for one in [process, *process.children(recursive=True)]:
        status = Path(f"/proc/{one.pid}/status")
        if status.exists():
            line = next((line for line in status.read_text().splitlines() if line.startswith("VmHWM")), "VmHWM: 0 kB")
            found[one.pid] = int(line.split()[1]) * 1024
    return found


class Stream:
    """A file that is made while it is read."""

    def __init__(self) -> None:
        self.left = SIZE
        self.hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        block = BLOCK[: min(self.left, size if size > 0 else len(BLOCK))]
        self.left -= len(block)
        self.hash.update(block)
        return block


def form(stream: Stream) -> Iterator[bytes]:
    yield b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nassistants\r\n'
    yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="big.bin"\r\n\r\n'
    while block := stream.read():
        yield block
    yield b"\r\n--x--\r\n"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from /proc")
def test_three_hundred_megabytes_pass_through_little_memory(server: tuple[str, str, psutil.Process]) -> None:
    address, key, process = server
    with openai.OpenAI(base_url=f"{address}/v1", api_key=key) as client:
        warm = client.files.create(file=("warm.txt", b"warm"), purpose="assistants")
        client.files.content(warm.id).read()
        before = peaks(process)
        stream = Stream()
        headers = {"api-key": key, "Content-Type": "multipart/form-data; boundary=x"}
        answer = httpx2.post(f"{address}/v1/files", content=form(stream), headers=headers, timeout=100)
        assert answer.status_code == 200, answer.text
        assert answer.json()["bytes"] == SIZE
        read = hashlib.sha256()
        with client.files.with_streaming_response.content(answer.json()["id"]) as content:
            for chunk in content.iter_bytes(2**20):
                read.update(chunk)
        assert read.digest() == stream.hash.digest()
    after = peaks(process)
    grown = {pid: after[pid] - before[pid] for pid in before if pid in after}
    assert max(grown.values()) < ROOM, grown
