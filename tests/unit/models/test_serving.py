"""Lending engines to requests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from smalt.core.errors import EngineFailed, InvalidRequest, ModelNotFound, NotInstalled, Unavailable
from smalt.core.settings import Settings
from smalt.engines.protocols import ChatEngine, EmbeddingEngine, WorkerAddress, WorkerSpec
from smalt.engines.registry import engine_class, engine_names
from smalt.models import Models


class FakeHost:
    """Gives addresses without starting anything."""

    def __init__(self) -> None:
        self.address = WorkerAddress("/run/1", {})
        self.leases = 0

    @asynccontextmanager
    async def lease(self, spec: WorkerSpec) -> AsyncIterator[WorkerAddress]:
        assert spec.key
        self.leases += 1
        try:
            yield self.address
        finally:
            self.leases -= 1


def made(tmp_path: Path, engine: str, **fields: Any) -> Settings:
    deployments = {"mine": {"engine": engine, **fields}}
    return Settings.model_validate({"data_dir": tmp_path, "offline": True, "deployments": deployments})


async def test_an_engine_without_worker_is_opened_once_and_closed_once(tmp_path, other_engines):
    models = Models(made(tmp_path, "in_process"))

    async def used() -> Any:
        async with models.lease("mine", EmbeddingEngine) as engine:
            return engine

    engines = await asyncio.gather(*(used() for _ in range(20)))
    assert len(other_engines.opened) == 1
    assert set(engines) == set(other_engines.opened)
    await models.close()
    assert engines[0].closed == 1


async def test_an_alias_leases_the_deployment_behind_it(tmp_path, other_engines):
    settings = made(tmp_path, "in_process").model_copy(update={"aliases": {"text-embedding-3-small": "mine"}})
    models = Models(settings)
    async with models.lease("text-embedding-3-small", EmbeddingEngine) as engine:
        assert engine.deployment.name == "mine"
    assert models.aliases()["text-embedding-3-small"] == "mine"
    await models.close()


async def test_an_engine_is_kept_while_its_worker_lives_and_replaced_when_it_moves(tmp_path, other_engines):
    host = FakeHost()
    models = Models(made(tmp_path, "with_worker"), host)
    async with models.lease("mine", EmbeddingEngine) as first:
        assert first.worker_address == host.address
        assert host.leases == 1
    async with models.lease("mine", EmbeddingEngine) as again:
        assert again is first
    host.address = WorkerAddress("/run/2", {})
    async with models.lease("mine", EmbeddingEngine) as second:
        assert second is not first
        assert second.worker_address == host.address
    await asyncio.sleep(0)
    assert (first.closed, second.closed, host.leases) == (1, 0, 0)
    await models.close()
    assert second.closed == 1


async def test_a_replaced_engine_closes_only_after_its_last_request(tmp_path, other_engines):
    host = FakeHost()
    models = Models(made(tmp_path, "with_worker"), host)
    async with models.lease("mine", EmbeddingEngine) as first:
        host.address = WorkerAddress("/run/2", {})
        async with models.lease("mine", EmbeddingEngine):
            pass
        await asyncio.sleep(0)
        assert first.closed == 0
    await asyncio.sleep(0)
    assert first.closed == 1
    await models.close()
    assert first.closed == 1


async def test_a_worker_engine_without_host_says_how_to_get_one(tmp_path, other_engines):
    models = Models(made(tmp_path, "with_worker"))
    with pytest.raises(EngineFailed, match="smalt serve"):
        async with models.lease("mine", EmbeddingEngine):
            pass


async def test_a_missing_ability_is_refused_as_azure_does(tmp_path, other_engines):
    models = Models(made(tmp_path, "in_process"))
    with pytest.raises(
        InvalidRequest,
        match=r"The chatCompletion operation does not work with the specified model, mine\. Choose .*smollm2",
    ) as refused:
        async with models.lease("mine", ChatEngine):
            pass
    assert (refused.value.status, refused.value.code) == (400, "OperationNotSupported")
    assert other_engines.opened == []


async def test_abilities_the_engine_does_not_have_are_an_error_of_the_settings(tmp_path, other_engines):
    models = Models(made(tmp_path, "in_process", abilities=["chat_completion"]))
    with pytest.raises(EngineFailed, match=r"no chat_completion\. Correct deployments\.mine\.abilities"):
        async with models.lease("mine", ChatEngine):
            pass


async def test_an_engine_that_cannot_be_imported_says_why(tmp_path, other_engines):
    models = Models(made(tmp_path, "broken"))
    with pytest.raises(NotInstalled, match=r"of other-engines cannot be loaded: .*a_module_that_is_nowhere"):
        async with models.lease("mine", ChatEngine):
            pass


async def test_an_unknown_model_is_not_found(tmp_path):
    with pytest.raises(ModelNotFound):
        async with Models(Settings(data_dir=tmp_path)).lease("nothing", ChatEngine):
            pass


async def test_missing_weights_offline_are_not_installed_and_asked_for_again_next_time(tmp_path, other_engines):
    weights = tmp_path / "model.bin"
    models = Models(made(tmp_path, "in_process", weights={"model": str(weights)}))
    with pytest.raises(NotInstalled, match="There is no file"):
        async with models.lease("mine", EmbeddingEngine):
            pass
    weights.touch()
    async with models.lease("mine", EmbeddingEngine) as engine:
        assert engine.deployment.weights == {"model": str(weights)}
    assert models.find("mine").weights == {"model": str(weights)}
    await models.close()


async def test_a_caller_who_leaves_while_weights_are_fetched_does_not_stop_it_for_others(tmp_path, other_engines):
    models = Models(made(tmp_path, "in_process"))

    async def used() -> Any:
        async with models.lease("mine", EmbeddingEngine) as engine:
            return engine

    impatient, patient = asyncio.create_task(used()), asyncio.create_task(used())
    await asyncio.sleep(0)
    impatient.cancel()
    assert await patient is other_engines.opened[0]
    assert impatient.cancelled() or impatient.cancelling()
    await models.close()


async def test_closing_during_a_pull_ends_the_pull(tmp_path, other_engines):
    models = Models(made(tmp_path, "in_process"))
    models._watch.stop()
    with pytest.raises(Unavailable, match="is kept"):
        models._watch.reach(1)
    await models.close()


async def test_deployments_are_listed_with_the_starter(tmp_path, other_engines):
    names = [deployment.name for deployment in Models(made(tmp_path, "in_process")).deployments()]
    starter = ["smollm2-135m-instruct", "gemma-3-270m", "all-minilm-l6-v2", "whisper-base", "kokoro-82m"]
    assert names == [*starter, "moderation-minilm", "image-moderation", "mine"]


def test_our_own_engine_wins_over_another_package_s_of_the_same_name(other_engines):
    assert engine_class("in_process") is other_engines.InProcess
    assert engine_class("echo") is not other_engines.InProcess


def test_other_packages_engines_can_be_shut_out(other_engines):
    assert "in_process" not in engine_names(third_party=False)
    with pytest.raises(NotInstalled):
        engine_class("in_process", third_party=False)


def test_what_is_not_an_engine_is_refused(other_engines):
    with pytest.raises(NotInstalled, match="not a subclass"):
        engine_class("not_an_engine")
