"""Which runners are alive: each says so again and again, and holds a lock that dies with it."""

import fcntl
import os
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from smalt.core.clock import now
from smalt.store.database import Database
from smalt.store.tables import job_runners as table


@dataclass(frozen=True, slots=True)
class Sign:
    """The last sign of life of a runner, and when it was first seen here."""

    heard_at: int
    seen: float


class RunnerLock:
    """A file that is locked as long as its runner's process lives, for the others on this machine."""

    def __init__(self, folder: Path, runner: str) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = folder / runner
        self._lock = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def release(self) -> None:
        """Give the lock up, at the runner's end."""
        self._path.unlink(missing_ok=True)
        os.close(self._lock)


def is_dead(folder: Path, runner: str) -> bool:
    """Whether a runner of this machine has died; False when it lives, or belongs to another machine."""
    try:
        lock = os.open(folder / runner, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def new_runner_id() -> str:
    """An id that no runner had before."""
    return f"runner_{secrets.token_hex(8)}"


class Registry:
    """The runners that are alive, as one of them sees it.

    Clocks of several machines differ, so a runner is silent when its sign of life has not changed for a time that is
    measured here.
    """

    def __init__(
        self,
        database: Database,
        folder: Path,
        runner: str,
        silence_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._folder = folder
        self._runner = runner
        self._silence_seconds = silence_seconds
        self._clock = clock
        self._signs: dict[str, Sign] = {}
        self._looked = clock()

    async def enter(self) -> None:
        """Write down that this runner lives."""
        row = {"id": self._runner, "started_at": now(), "heard_at": now()}
        await self._database.write(lambda connection: connection.execute(sa.insert(table).values(row)))

    async def beat(self) -> bool:
        """Say that this runner still lives; False when others took it for dead, and its jobs with it."""
        statement = sa.update(table).where(table.c.id == self._runner).values(heard_at=now())
        return await self._database.write(lambda connection: connection.execute(statement).rowcount == 1)

    async def leave(self) -> None:
        """Write down that this runner ends."""
        await self.remove(self._runner)

    async def remove(self, runner: str) -> None:
        """Write down that a runner is dead: it does nothing more, even if it lives."""
        statement = sa.delete(table).where(table.c.id == runner)
        await self._database.write(lambda connection: connection.execute(statement))
        (self._folder / runner).unlink(missing_ok=True)

    async def alive(self) -> set[str]:
        """The runners that are not known to be dead."""
        return set(await self._heard())

    async def dead(self) -> list[str]:
        """The runners whose jobs must be taken over: they died, or have been silent for too long."""
        heard = await self._heard()
        self._watch(heard)
        longest = self._clock() - self._silence_seconds
        return [
            runner
            for runner, sign in self._signs.items()
            if runner != self._runner and (sign.seen < longest or is_dead(self._folder, runner))
        ]

    def _watch(self, heard: Mapping[str, int]) -> None:
        moment = self._clock()
        # Who was not looking cannot say that the others were silent.
        if moment - self._looked > self._silence_seconds / 2:
            self._signs = {}
        self._looked = moment
        known = self._signs
        self._signs = {
            runner: known[runner] if runner in known and known[runner].heard_at == at else Sign(at, moment)
            for runner, at in heard.items()
        }

    async def _heard(self) -> dict[str, int]:
        query = sa.select(table.c.id, table.c.heard_at)
        return await self._database.read(lambda connection: {row.id: row.heard_at for row in connection.execute(query)})
