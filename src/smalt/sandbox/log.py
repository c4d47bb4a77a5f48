"""What the code in a sandbox prints, read all the time so that it never waits for us, and kept up to a limit."""

import asyncio

READ_BYTES = 2**16
LATE_SECONDS = 1.0


class Log:
    """Reads one pipe; `begin` and `end` enclose what one call prints."""

    def __init__(self, pipe: asyncio.StreamReader, most_bytes: int) -> None:
        self._pipe = pipe
        self._most_bytes = most_bytes
        self._kept = bytearray()
        self._tail = b""
        self._dropped = 0
        self._mark = b""
        self._ended = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    def begin(self, mark: str) -> None:
        """Forget what was printed between the calls; `mark` will stand behind what is printed now."""
        self._kept.clear()
        self._tail = b""
        self._dropped = 0
        self._mark = mark.encode()
        self._ended.clear()

    async def end(self) -> str:
        """What was printed, once the mark is there; it may never come from a process that has ended."""
        waiting = asyncio.create_task(self._ended.wait())
        await asyncio.wait([waiting, self._reading], timeout=LATE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        text = bytes(self._kept).partition(self._mark)[0].decode(errors="replace")
        if self._dropped:
            text += f"\n[{self._dropped} more bytes were printed and are left out]"
        return text

    async def close(self) -> None:
        """Read to the end, which is near once the process has ended."""
        await asyncio.wait([self._reading], timeout=LATE_SECONDS)
        self._reading.cancel()
        await asyncio.wait([self._reading])

    async def _read(self) -> None:
        while data := await self._pipe.read(READ_BYTES):
            # The mark may be cut by the end of a read, or stand where nothing is kept any more.
            seen = self._tail + data
            self._tail = seen[-len(self._mark) :] if self._mark else b""
            room = self._most_bytes + len(self._mark) - len(self._kept)
            self._kept += data[:room]
            if self._mark and self._mark in seen:
                self._dropped = max(self._dropped + len(data) - max(room, 0) - len(self._mark), 0)
                self._ended.set()
            else:
                self._dropped += max(len(data) - max(room, 0), 0)
