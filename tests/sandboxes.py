"""Sandboxes for tests: real ones, which the extra `code` brings the program for."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from smalt.sandbox.bubblewrap import Bubblewrap
from smalt.sandbox.limits import Limits
from smalt.sandbox.process import Ran, Sandbox


@asynccontextmanager
async def sandbox_with(**limits: Any) -> AsyncGenerator[Sandbox]:
    """A sandbox with these limits, ended with the block."""
    sandbox = await Sandbox.start(Bubblewrap().require(), Limits(**limits))
    try:
        yield sandbox
    finally:
        await sandbox.close()


async def printed(sandbox: Sandbox, code: str) -> str:
    """What code prints that must run well."""
    ran = await sandbox.run(code)
    assert ran.status == "completed", ran
    return ran.log


async def outcome(code: str, **limits: Any) -> Ran:
    """What comes of code in a sandbox of its own."""
    async with sandbox_with(**limits) as sandbox:
        return await sandbox.run(code)
