"""Reads documents in child processes, which stay warm while all goes well and are replaced when it does not."""

import asyncio
import contextlib
import json
import logging
import os
import secrets
import signal
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smalt.core.settings import RetrievalSettings
from smalt.retrieval.extraction.refusal import DocumentRefused
from smalt.retrieval.protocols import Passage

logger = logging.getLogger(__name__)

MOST_DOCUMENTS = 200
"""Documents that one child reads before another takes its place: libraries leak."""

PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH")
QUIET = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
LONGEST_ANSWER = 1 << 20


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """A document that was read; its passages lie in a file until the context that gave it ends."""

    format: str
    path: Path

    def passages(self) -> Iterator[Passage]:
        """The passages in reading order."""
        with self.path.open(encoding="utf-8") as lines:
            for line in lines:
                text, page, heading = json.loads(line)
                yield Passage(text, page, heading)


@dataclass(slots=True)
class _Child:
    process: asyncio.subprocess.Process
    documents: int = 0


class DocumentReader:
    """Turns files into passages; as many at once as there are callers. Close it."""

    def __init__(self, settings: RetrievalSettings) -> None:
        self._settings = settings
        self._idle: list[_Child] = []

    @asynccontextmanager
    async def read(self, path: Path, filename: str, folder: Path) -> AsyncGenerator[ReadDocument]:
        """Read one document, by way of a file in `folder`; raises `DocumentRefused`, which says what can be done."""
        output = folder / f"passages-{secrets.token_hex(8)}"
        try:
            answer = await self._ask(path, filename, output)
            yield ReadDocument(answer["format"], output)
        finally:
            output.unlink(missing_ok=True)

    async def close(self) -> None:
        """End the children."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*map(_end, idle))

    async def _ask(self, path: Path, filename: str, output: Path) -> dict[str, Any]:
        child = self._idle.pop() if self._idle else await self._start()
        question = {
            "path": str(path),
            "filename": filename,
            "output": str(output),
            "ocr": self._settings.ocr,
            "seconds": self._settings.extraction_seconds,
        }
        answer: dict[str, Any] | None = None
        try:
            async with asyncio.timeout(self._settings.extraction_seconds + 1):
                answer = await _asked(child, question)
        except TimeoutError:
            raise self._too_slow() from None
        finally:
            await self._put_back(child, answer)
        if answer is None:
            raise self._died(child.process.returncode or 0)
        return self._checked(answer)

    async def _start(self) -> _Child:
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "smalt.retrieval.extraction.child"),
            str(self._settings.extraction_memory_bytes),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**environment, **QUIET},
            start_new_session=True,
            limit=LONGEST_ANSWER,
        )
        return _Child(process)

    async def _put_back(self, child: _Child, answer: dict[str, Any] | None) -> None:
        child.documents += 1
        if answer is None or answer.get("is_last") or child.documents >= MOST_DOCUMENTS:
            await _end(child)
        else:
            self._idle.append(child)

    def _checked(self, answer: dict[str, Any]) -> dict[str, Any]:
        if "message" in answer:
            raise DocumentRefused(answer["message"], code=answer["code"])
        if exhausted := answer.get("exhausted"):
            raise (
                self._too_large()
                if exhausted == "MemoryError"
                else DocumentRefused("The document is nested too deeply to be read. Save it again in a simpler form.")
            )
        if failed := answer.get("failed"):
            raise DocumentRefused(
                f"The document cannot be read, it is probably damaged ({failed}). Save it again in its own program."
            )
        return answer

    def _died(self, code: int) -> DocumentRefused:
        if code == -signal.SIGXCPU:
            return self._too_slow()
        if code in {-signal.SIGKILL, -signal.SIGABRT}:
            return self._too_large()
        logger.warning("the reader of documents crashed", extra={"exit_code": code})
        return DocumentRefused(
            f"The document made its reader crash (exit code {code}), so it is probably damaged. Save it again in its "
            "own program."
        )

    def _too_slow(self) -> DocumentRefused:
        seconds = self._settings.extraction_seconds
        return DocumentRefused(
            f"Reading the document takes longer than {seconds:g} seconds. Split it, or raise "
            "retrieval.extraction_seconds."
        )

    def _too_large(self) -> DocumentRefused:
        return DocumentRefused(
            f"Reading the document takes more memory than {self._settings.extraction_memory_bytes} bytes. Split it, or "
            "raise retrieval.extraction_memory_bytes."
        )


async def _asked(child: _Child, question: dict[str, Any]) -> dict[str, Any] | None:
    assert child.process.stdin is not None
    assert child.process.stdout is not None
    with contextlib.suppress(ConnectionError):
        child.process.stdin.write(json.dumps(question).encode() + b"\n")
        await child.process.stdin.drain()
    line = await child.process.stdout.readline()
    if line.endswith(b"\n"):
        return json.loads(line)
    # Its exit code is lost when a process is killed that is ending by itself.
    await child.process.wait()
    return None


async def _end(child: _Child) -> None:
    if child.process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            child.process.kill()
        await child.process.wait()
