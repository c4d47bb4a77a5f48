"""Workers that die, hang, crash at start or want too much memory, and a host that dies itself."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from smalt.core.errors import EngineFailed, NotInstalled, Unavailable
from smalt.engines.channel import ChannelClient
from smalt.engines.host.client import EngineHost
from smalt.engines.host.launcher import HostProcess
from smalt.engines.protocols import WorkerSpec

Launch = Callable[..., HostProcess]
Spec = Callable[..., WorkerSpec]


@asynccontextmanager
async def client_of(host: HostProcess) -> AsyncIterator[EngineHost]:
    client = await EngineHost.connect(host.socket_path)
    try:
        yield client
    finally:
        await client.close()


async def call(client: EngineHost, spec: WorkerSpec, method: str = "echo", **header: object) -> dict:
    async with client.lease(spec) as address:
        channel = ChannelClient(address.socket_path)
        try:
            return dict((await channel.call(method, header))[0])
        finally:
            await channel.close()


async def eventually(is_so: Callable[[], Awaitable[object] | object], within_seconds: float = 15.0) -> None:
    deadline = time.monotonic() + within_seconds
    while True:
        truth = is_so()
        if await truth if isinstance(truth, Awaitable) else truth:
            return
        assert time.monotonic() < deadline, "it did not become so in time"
        await asyncio.sleep(0.02)


async def workers_of(client: EngineHost) -> list[tuple[str, int]]:
    return [(worker.state, worker.leases) for worker in await client.status()]


async def becomes(client: EngineHost, workers: list[tuple[str, int]]) -> bool:
    return await workers_of(client) == workers


async def drain(stream: AsyncIterator[object]) -> None:
    async for _ in stream:
        pass


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def test_a_killed_worker_fails_the_call_and_the_next_one_gets_a_new_worker(launch: Launch, spec: Spec):
    async with client_of(launch()) as client:
        pid = (await call(client, spec()))["pid"]
        asleep = asyncio.create_task(call(client, spec(), "sleep"))
        await asyncio.sleep(0.1)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(EngineFailed, match="The next request starts a new worker"):
            await asleep
        assert (await call(client, spec()))["pid"] != pid


async def test_a_worker_that_dies_of_a_request_does_not_take_the_next_request_with_it(launch: Launch, spec: Spec):
    async with client_of(launch()) as client:
        with pytest.raises(EngineFailed):
            await call(client, spec(), "die")
        assert (await call(client, spec(), said="hello"))["said"] == "hello"


async def test_a_stream_of_a_killed_worker_ends_with_an_error(launch: Launch, spec: Spec):
    async with client_of(launch()) as client, client.lease(spec()) as address:
        pid = (await call(client, spec()))["pid"]
        channel = ChannelClient(address.socket_path)
        stream = channel.stream("count", {"to": 1000, "pause": 0.01})
        assert [(await anext(stream))[0]["number"] for _ in range(3)] == [0, 1, 2]
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(EngineFailed):
            await drain(stream)


async def test_a_hung_worker_is_killed_and_replaced(launch: Launch, spec: Spec):
    async with client_of(launch(health_seconds=0.2)) as client:
        pid = (await call(client, spec()))["pid"]
        with pytest.raises(EngineFailed):
            await call(client, spec(), "hang")
        assert (await call(client, spec()))["pid"] != pid


async def test_a_stopped_process_counts_as_hung(launch: Launch, spec: Spec):
    async with client_of(launch(health_seconds=0.2)) as client:
        pid = (await call(client, spec()))["pid"]
        os.kill(pid, signal.SIGSTOP)
        await eventually(lambda: is_gone(pid))
        assert (await call(client, spec()))["pid"] != pid


async def test_a_busy_worker_is_left_alone(launch: Launch, spec: Spec):
    async with client_of(launch(health_seconds=0.1)) as client:
        pid = (await call(client, spec()))["pid"]
        await call(client, spec(), "sleep", seconds=1.5)
        assert (await call(client, spec()))["pid"] == pid


async def test_a_worker_that_dies_at_start_says_why_and_is_not_started_in_a_loop(
    launch: Launch, spec: Spec, tmp_path: Path
):
    starts = tmp_path / "starts"
    broken = spec("dead_at_start", starts=str(starts))
    async with client_of(launch()) as client:
        for _ in range(20):
            with pytest.raises(EngineFailed, match=r"(?s)exit code 7.*the weights are upside down"):
                await call(client, broken)
        assert starts.stat().st_size == 1
        await asyncio.sleep(1.1)
        with pytest.raises(EngineFailed, match="upside down"):
            await call(client, broken)
        assert starts.stat().st_size == 2


async def test_twenty_requests_for_one_model_start_one_worker(launch: Launch, spec: Spec):
    async with client_of(launch()) as client:
        answers = await asyncio.gather(*(call(client, spec()) for _ in range(20)))
        assert len({answer["pid"] for answer in answers}) == 1
        assert len(await client.status()) == 1


async def test_two_clients_share_one_worker(launch: Launch, spec: Spec):
    host = launch()
    async with client_of(host) as one, client_of(host) as other:
        answers = await asyncio.gather(call(one, spec()), call(other, spec()))
        assert answers[0]["pid"] == answers[1]["pid"]


async def test_a_worker_that_is_never_ready_is_given_up(launch: Launch, spec: Spec):
    host = launch(start_timeout_seconds=1.0)
    async with client_of(host) as client:
        with pytest.raises(EngineFailed, match=r"(?s)not ready within 1 seconds.*loading, loading"):
            await call(client, spec("never_ready"))
        await eventually(lambda: not psutil.Process(host.pid).children())


async def test_a_worker_tells_in_its_own_words_why_it_cannot_start(launch: Launch, spec: Spec):
    async with client_of(launch()) as client:
        with pytest.raises(NotInstalled, match="pip install"):
            await call(client, spec("without_its_extra"))


async def test_an_idle_worker_makes_room_for_another(launch: Launch, spec: Spec):
    large = 200 * 2**20
    async with client_of(launch(memory_bytes=300 * 2**20)) as client:
        first = (await call(client, spec(key="first", memory=large)))["pid"]
        await call(client, spec(key="second", memory=large))
        assert is_gone(first)
        assert [worker.key for worker in await client.status()] == ["second"]


async def test_the_least_recently_used_worker_goes_first(launch: Launch, spec: Spec):
    large = 200 * 2**20
    async with client_of(launch(memory_bytes=500 * 2**20)) as client:
        for key in ("first", "second", "first", "third"):
            await call(client, spec(key=key, memory=large))
            await asyncio.sleep(0.3)
        assert {worker.key for worker in await client.status()} == {"first", "third"}


async def test_a_model_that_does_not_fit_beside_busy_ones_is_refused_with_a_time_to_try_again(
    launch: Launch, spec: Spec
):
    large = 200 * 2**20
    async with client_of(launch(memory_bytes=300 * 2**20)) as client, client.lease(spec(key="busy", memory=large)):
        with pytest.raises(Unavailable, match="busy") as refusal:
            await call(client, spec(key="other", memory=large))
        assert refusal.value.status == 503
        assert int(refusal.value.headers["Retry-After"]) > 0


async def test_a_model_larger_than_the_budget_is_refused_with_the_setting_to_raise(launch: Launch, spec: Spec):
    async with client_of(launch(memory_bytes=100 * 2**20)) as client:
        with pytest.raises(Unavailable, match=r"engines\.memory_bytes"):
            await call(client, spec(memory=200 * 2**20))


async def test_an_unused_worker_is_stopped_and_a_used_one_is_not(launch: Launch, spec: Spec):
    async with client_of(launch(idle_seconds=0.5)) as client:
        unused = (await call(client, spec(key="unused")))["pid"]
        async with client.lease(spec(key="used")) as address:
            channel = ChannelClient(address.socket_path)
            used = (await channel.call("echo", {}))[0]["pid"]
            await eventually(lambda: is_gone(unused))
            assert not is_gone(used)
            await channel.close()


async def test_a_client_that_goes_away_gives_its_leases_back(launch: Launch, spec: Spec):
    host = launch()
    async with client_of(host) as watcher:
        async with client_of(host) as leaver:
            lease = leaver.lease(spec())
            await lease.__aenter__()
            assert await workers_of(watcher) == [("ready", 1)]
        await eventually(lambda: becomes(watcher, [("ready", 0)]))


async def test_a_caller_who_gives_up_during_the_start_does_not_hold_the_worker(launch: Launch, spec: Spec):
    async with client_of(launch()) as client:
        starting = asyncio.create_task(call(client, spec()))
        await asyncio.sleep(0.05)
        starting.cancel()
        await eventually(lambda: becomes(client, [("ready", 0)]))


async def test_a_killed_host_takes_its_workers_along_and_is_started_again(launch: Launch, spec: Spec):
    host = launch()
    async with client_of(host) as client:
        worker, killed = (await call(client, spec()))["pid"], host.pid
        os.kill(killed, signal.SIGKILL)
        await eventually(lambda: is_gone(worker))
        assert await client.status() == []
        assert (await call(client, spec(), said="again"))["said"] == "again"
        assert host.pid != killed


async def test_a_request_that_waits_for_a_start_survives_the_death_of_the_host(launch: Launch, spec: Spec):
    host = launch()
    async with client_of(host) as client:
        starting = asyncio.create_task(call(client, spec(), said="hello"))
        await asyncio.sleep(0.05)
        os.kill(host.pid, signal.SIGKILL)
        assert (await starting)["said"] == "hello"


PARENT = """
import asyncio, sys
from pathlib import Path
from smalt.core.settings import load_settings
from smalt.engines.host.client import EngineHost
from smalt.engines.host.launcher import start_host
from smalt.engines.protocols import WorkerSpec

async def main():
    host = start_host(load_settings(data_dir=Path(sys.argv[1])))
    client = await EngineHost.connect(host.socket_path)
    async with client.lease(WorkerSpec("w", "worker_targets:well", {}, 1)):
        (worker,) = await client.status()
        print(host.pid, worker.pid, flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_a_killed_parent_leaves_no_process_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    parent = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    host, worker = map(int, (await parent.stdout.readline()).split())
    parent.kill()
    await parent.communicate()
    await eventually(lambda: is_gone(host) and is_gone(worker))


def test_a_stopped_host_leaves_neither_process_nor_socket(launch: Launch, tmp_path: Path):
    host = launch()
    pid = host.pid
    host.stop()
    assert is_gone(pid)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["lock"]


def test_sockets_are_for_their_owner_only(launch: Launch):
    socket_path = Path(launch().socket_path)
    assert socket_path.stat().st_mode & 0o777 == 0o600
    assert socket_path.parent.stat().st_mode & 0o777 == 0o700


def test_what_a_killed_server_left_is_cleaned_up(launch: Launch, tmp_path: Path):
    left_over = tmp_path / "run" / "0badcafe"
    left_over.mkdir(parents=True)
    for name in ("host.sock", "lock"):
        (left_over / name).touch()
    running = Path(launch().socket_path).parent
    launch()
    assert not left_over.exists()
    assert running.exists()


async def test_back_to_back_requests_share_a_lease_that_is_given_back_soon_after(launch: Launch, spec: Spec):
    async with client_of(launch()) as client:
        await call(client, spec())
        assert await workers_of(client) == [("ready", 1)]
        await call(client, spec())
        await eventually(lambda: becomes(client, [("ready", 0)]), within_seconds=3)


async def test_a_worker_that_grows_beyond_what_it_declared_counts_with_what_it_has(launch: Launch, spec: Spec):
    async with client_of(launch(memory_bytes=2**30)) as client:
        await call(client, spec(memory=1))
        (worker,) = await client.status()
        assert worker.memory_bytes > 2**20
