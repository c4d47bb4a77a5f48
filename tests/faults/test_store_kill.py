"""What is acknowledged is kept, whenever the process that wrote it is killed."""

import asyncio
import os
import random
import re
import subprocess
import sys
import time

import openai
import psutil
import pytest

from smalt.core.errors import NotFound
from smalt.store.database import Database
from smalt.store.stored_completions import StoredCompletions

WRITER = """
import asyncio, itertools, sys
from smalt.store.database import Database
from smalt.store.stored_completions import StoredCompletions

name, url = sys.argv[1:]
numbers = itertools.count()

async def write(stored):
    for number in numbers:
        completion = {"id": f"{name}-{number}", "created": number, "model": "m", "choices": [{"text": "x" * 2000}]}
        messages = [{"role": "user", "content": "y" * 500}]
        await stored.add("p", completion, messages=messages, metadata={"n": str(number)})
        print("added", completion["id"], flush=True)
        if number % 3 == 0:
            await stored.delete("p", completion["id"])
            print("deleted", completion["id"], flush=True)

async def main():
    database = Database.open(url)
    stored = StoredCompletions(database)
    await asyncio.gather(*(write(stored) for _ in range(8)))

asyncio.run(main())
"""


def acknowledged_before_a_kill(name, url, seconds):
    """Let a process write, kill it, and return what it said was done."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, name, url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    first = process.stdout.readline()
    time.sleep(seconds)
    process.kill()
    rest, errors = process.communicate()
    assert errors == ""
    lines = [line.split() for line in (first + rest).splitlines(keepends=True) if line.endswith("\n")]
    added = {words[1] for words in lines if words[0] == "added"}
    return added, {words[1] for words in lines if words[0] == "deleted"}


def integrity(connection):
    if connection.dialect.name == "sqlite":
        return connection.exec_driver_sql("PRAGMA integrity_check").scalar_one()
    return "ok"


async def state(url):
    database = Database.open(url)
    stored = StoredCompletions(database)
    kept, after, more = {}, None, True
    while more:
        page = await stored.list("p", after=after, limit=100)
        kept |= {item.id: item for item in page.items}
        after, more = page.items[-1].id if page.items else None, page.has_more
    check = await database.read(integrity)
    await database.close()
    assert check == "ok"
    return kept


async def test_a_killed_process_loses_nothing_that_it_acknowledged(store_url):
    randomly = random.Random(7)
    for turn in range(6):
        added, deleted = await asyncio.to_thread(
            acknowledged_before_a_kill, f"turn{turn}", store_url, randomly.uniform(0.05, 0.4)
        )
        kept = await state(store_url)
        assert added
        assert added - kept.keys() <= {name for name in added if int(name.split("-")[1]) % 3 == 0}
        assert not deleted & kept.keys()
        assert all(item.metadata == {"n": item.id.split("-")[1]} for item in kept.values())


async def test_two_processes_write_at_once_and_one_is_killed(store_url):
    results = await asyncio.gather(
        asyncio.to_thread(acknowledged_before_a_kill, "a", store_url, 0.4),
        asyncio.to_thread(acknowledged_before_a_kill, "b", store_url, 0.9),
    )
    kept = await state(store_url)
    for added, deleted in results:
        lasting = {name for name in added if int(name.split("-")[1]) % 3}
        assert lasting
        assert lasting <= kept.keys()
        assert not deleted & kept.keys()


@pytest.fixture
def serve(tmp_path, store_url):
    """Start `smalt serve` with an echo; returns the process, its address and its first key."""
    (tmp_path / "smalt.toml").write_text('starter = false\n[deployments.parrot]\nengine = "echo"\n')
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SMALT_")}
    environment |= {"SMALT_DATA_DIR": str(tmp_path / "data"), "SMALT_DATABASE__URL": store_url}
    started = []

    def start():
        process = subprocess.Popen(
            [sys.executable, "-m", "smalt", "serve", "--port", "0"], cwd=tmp_path, env=environment,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        started.append(process)
        said = ""
        while "Ctrl-C stops" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        key = re.search(r"sk-smalt-\S{43}", said)
        return process, re.search(r"http://\S+/openai/v1", said).group(0), key and key.group(0)

    yield start
    for process in started:
        family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.kill()
        process.wait()
        process.stdout.close()
        psutil.wait_procs(family, timeout=20)


async def store_until_killed(client, acknowledged, enough):
    while True:
        try:
            answer = await client.chat.completions.create(
                model="parrot", messages=[{"role": "user", "content": "Keep this"}], store=True, metadata={"k": "v"}
            )
        except openai.APIConnectionError:
            return
        acknowledged.append(answer.id)
        if len(acknowledged) >= 20:
            enough.set()


async def test_a_killed_server_has_every_stored_completion_that_it_answered(serve):
    process, url, key = serve()
    acknowledged = []
    async with openai.AsyncOpenAI(base_url=url, api_key=key, max_retries=0) as client:
        enough = asyncio.Event()
        clients = [asyncio.create_task(store_until_killed(client, acknowledged, enough)) for _ in range(4)]
        await enough.wait()
        process.kill()
        await asyncio.gather(*clients)
    _, url, _ = serve()
    async with openai.AsyncOpenAI(base_url=url, api_key=key) as client:
        kept = {item.id async for item in client.chat.completions.list(limit=50)}
        assert set(acknowledged) <= kept
        assert len(kept) <= len(acknowledged) + 4
        one = await client.chat.completions.retrieve(acknowledged[-1])
        assert one.metadata == {"k": "v"}


async def test_paging_while_deleting_reaches_every_completion(store_url):
    database = Database.open(store_url)
    stored = StoredCompletions(database)
    for number in range(25):
        await stored.add("p", {"id": f"c-{number}", "created": 5, "model": "m"}, messages=[])
    after, seen, more = None, 0, True
    while more:
        page = await stored.list("p", after=after, limit=4)
        for item in page.items:
            await stored.delete("p", item.id)
            seen += 1
        after, more = page.items[-1].id, page.has_more
    with pytest.raises(NotFound):
        await stored.get("p", "c-0")
    await database.close()
    assert seen == 25
