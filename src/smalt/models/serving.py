"""Lends engines to requests: finds the deployment, brings its weights, opens it once, closes what is outgrown."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar, cast

from smalt.core.errors import EngineFailed, InvalidRequest
from smalt.core.settings import Settings
from smalt.engines.protocols import Deployment, Engine, WorkerAddress, WorkerSpec
from smalt.engines.registry import ABILITIES, abilities_of, engine_class
from smalt.models.catalog import Catalog, Entry
from smalt.models.progress import Logged

T = TypeVar("T")

WORDS = {protocol: word for word, protocol in ABILITIES.items()}
OPERATIONS = {
    "chat_completion": "chatCompletion",
    "audio_transcription": "audioTranscription",
    "audio_speech": "audioSpeech",
}
"""The operations that Azure's error calls otherwise than the ability."""


class Host(Protocol):
    """Starts workers on demand; `smalt.engines.host.client.EngineHost` is one."""

    def lease(self, spec: WorkerSpec) -> AbstractAsyncContextManager[WorkerAddress]:
        """Hold a running worker for a while."""
        ...


@dataclass(eq=False)
class Opened:
    """An open engine, how many requests use it, and whether it closes after the last of them."""

    engine: Engine
    address: WorkerAddress | None
    users: int = 0
    is_retired: bool = False


@dataclass(eq=False)
class Served:
    """A deployment whose weights are here, ready to be lent."""

    deployment: Deployment
    kind: type[Engine]
    spec: WorkerSpec | None
    opened: Opened | None = None


class Models:
    """Every model of this process: make one, lease from it, close it. The host stays the caller's to close."""

    def __init__(self, settings: Settings, host: Host | None = None) -> None:
        self._settings = settings
        self._host = host
        self._catalog = Catalog(settings)
        self._served: dict[str, Served] = {}
        self._preparing: dict[str, asyncio.Task[Served]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._watch = Logged()

    def deployments(self) -> list[Deployment]:
        """Every deployment; weights that were not asked for yet are shown as their sources."""
        return [self.find(name) for name in self._catalog.entries]

    def aliases(self) -> dict[str, str]:
        """Every other name of a deployment."""
        return dict(self._catalog.aliases)

    def find(self, name: str) -> Deployment:
        """The deployment behind a name or alias; raises `ModelNotFound`, which lists what there is."""
        deployment = self._catalog.find(name).deployment
        served = self._served.get(deployment.name)
        return served.deployment if served else deployment

    @asynccontextmanager
    async def lease(self, name: str, ability: type[T]) -> AsyncGenerator[T]:
        """Lend the engine of a model; its weights are pulled, its worker started and it is opened if need be.

        Raises `ModelNotFound`, `InvalidRequest` when the model lacks the ability, `NotInstalled` when weights or
        packages are missing and cannot be fetched, and what the host raises when a worker cannot be had.
        """
        entry = self._catalog.find(name)
        self._check_ability(name, entry.deployment, ability)
        served = self._served.get(entry.deployment.name) or await self._prepare(entry)
        if served.spec is None:
            with self._lend(served, None) as engine:
                yield cast("T", engine)
        elif self._host is None:
            raise EngineFailed(f"The model '{name}' needs the engine host, and none is running. Use: smalt serve")
        else:
            async with self._host.lease(served.spec) as address:
                with self._lend(served, address) as engine:
                    yield cast("T", engine)

    async def close(self) -> None:
        """Stop pulls and close every engine."""
        self._watch.stop()
        await asyncio.gather(*self._preparing.values(), return_exceptions=True)
        for served in self._served.values():
            if served.opened is not None:
                self._retire(served.opened, at_once=True)
                served.opened = None
        await asyncio.gather(*self._closing)

    def _check_ability(self, name: str, deployment: Deployment, ability: type) -> None:
        word = WORDS[ability]
        if word in deployment.abilities:
            return
        if not deployment.abilities:
            # An engine that lacks its packages has no abilities yet; say that instead.
            engine_class(deployment.engine, third_party=self._settings.engines.entry_points)
        able = [other.name for other in self.deployments() if word in other.abilities]
        advice = f"Choose one of: {', '.join(able)}." if able else "No model here can do it."
        raise InvalidRequest(
            f"The {OPERATIONS.get(word, word)} operation does not work with the specified model, {name}. {advice}",
            code="OperationNotSupported",
        )

    async def _prepare(self, entry: Entry) -> Served:
        """Make a deployment ready, once for all who wait; a caller who leaves does not stop it for the others."""
        name = entry.deployment.name
        task = self._preparing.get(name)
        if task is None:
            task = self._preparing[name] = asyncio.create_task(self._make_ready(entry))
            task.add_done_callback(lambda done: self._made_ready(name, done))
        return await asyncio.shield(task)

    async def _make_ready(self, entry: Entry) -> Served:
        return await asyncio.to_thread(self._fetched, entry)

    def _made_ready(self, name: str, task: asyncio.Task[Served]) -> None:
        """Keep what is ready; forget a failure, so that the next request tries again."""
        del self._preparing[name]
        if not task.cancelled() and task.exception() is None:
            self._served[name] = task.result()

    def _fetched(self, entry: Entry) -> Served:
        kind = engine_class(entry.deployment.engine, third_party=self._settings.engines.entry_points)
        if lacking := entry.deployment.abilities - abilities_of(kind):
            raise EngineFailed(
                f"The engine '{entry.deployment.engine}' has no {', '.join(sorted(lacking))}. "
                f"Correct deployments.{entry.deployment.name}.abilities."
            )
        deployment = entry.fetched(self._settings, self._watch)
        return Served(deployment, kind, kind.worker(deployment))

    @contextmanager
    def _lend(self, served: Served, address: WorkerAddress | None) -> Generator[Engine]:
        opened = served.opened
        if opened is None or opened.address != address:
            if opened is not None:
                self._retire(opened)
            opened = served.opened = Opened(served.kind.open(served.deployment, address), address)
        opened.users += 1
        try:
            yield opened.engine
        finally:
            opened.users -= 1
            if opened.is_retired and not opened.users:
                self._close_soon(opened.engine)

    def _retire(self, opened: Opened, *, at_once: bool = False) -> None:
        """Close an engine when nobody uses it any more, or now."""
        opened.is_retired = not at_once
        if at_once or not opened.users:
            self._close_soon(opened.engine)

    def _close_soon(self, engine: Engine) -> None:
        # A task of its own, because the request that was the last to use the engine may be being cancelled.
        task = asyncio.create_task(engine.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
