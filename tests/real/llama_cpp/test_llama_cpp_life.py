"""The life of a worker: slots are freed, the dead are noticed, starting is quick."""

import asyncio
import time

import aiohttp
import pytest

from smalt.core.errors import EngineFailed
from smalt.engines.llama_cpp import LlamaCppEngine
from smalt.engines.protocols import ChatDelta, Serving

pytestmark = pytest.mark.real


async def busy_slots(worker):
    connector = aiohttp.UnixConnector(worker.socket_path)
    async with (
        aiohttp.ClientSession("http://worker", connector=connector) as session,
        session.get("/slots") as response,
    ):
        return sum(slot["is_processing"] for slot in await response.json())


async def seconds_until_free(worker):
    started = time.monotonic()
    while await busy_slots(worker):
        assert time.monotonic() - started < 20, "the slot is not freed"
        await asyncio.sleep(0.02)
    return time.monotonic() - started


async def test_closing_a_stream_frees_its_slots(engine, worker, body):
    stream = engine.chat(body(messages="Write a long story.", max_tokens=1000, n=2))
    async for event in stream:
        if isinstance(event, ChatDelta):
            break
    assert await busy_slots(worker) == 2
    await stream.aclose()
    # A thousand tokens take far longer.
    assert await seconds_until_free(worker) < 5


async def test_leaving_while_the_prompt_is_read_frees_the_slot(engine, worker, ask):
    asking = asyncio.create_task(ask(engine, messages=f"{time.time()} " + "word " * 1500, max_tokens=4))
    while not await busy_slots(worker):  # noqa: ASYNC110 - the server is another process
        await asyncio.sleep(0.02)
    asking.cancel()
    # The batch that is being computed has to end first.
    assert await seconds_until_free(worker) < 10
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_the_serving_model_is_named_first_with_a_stable_fingerprint(engine, body):
    first, *_ = [event async for event in engine.chat(body(max_tokens=1))]
    assert isinstance(first, Serving)
    assert first.model == "SmolLM2-135M-Instruct"
    assert first.system_fingerprint == engine._worker.facts.fingerprint
    assert first.system_fingerprint.startswith("fp_")


async def test_a_worker_that_dies_in_the_middle_is_an_error_and_so_is_a_dead_one(
    deployment, tmp_path, body, run_worker
):
    started = time.monotonic()
    with run_worker(deployment, tmp_path) as (address, process):
        engine = LlamaCppEngine.open(deployment, address)
        stream = engine.chat(body(messages="Write a long story.", max_tokens=1000))
        async for event in stream:
            if isinstance(event, ChatDelta):
                break
        # Three seconds on a machine with nothing else to do.
        assert time.monotonic() - started < 60
        process.kill()
        with pytest.raises(EngineFailed, match="worker"):
            async for _ in stream:
                pass
        process.wait()
        with pytest.raises(EngineFailed, match="worker of 'small'"):
            async for _ in engine.chat(body()):
                pass
        await engine.close()
