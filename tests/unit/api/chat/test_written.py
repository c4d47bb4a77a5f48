"""Reading an answer that is to be spoken."""

import asyncio
import gc
from collections.abc import AsyncGenerator
from typing import Any

from smalt.api.chat.written import Written
from smalt.api.generation import Chunk
from smalt.core.errors import EngineFailed


async def failing() -> AsyncGenerator[Chunk]:
    raise EngineFailed("It broke.")
    yield {}


async def test_a_failure_that_nobody_waits_for_is_not_a_failure_of_the_server():
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    reading = Written(is_in_pieces=True).begin(failing())
    await asyncio.wait([reading])
    await asyncio.sleep(0)
    del reading
    gc.collect()
    assert complaints == []
