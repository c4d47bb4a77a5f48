"""The engines that judge texts and pictures, with their starter models, in their workers."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from contract.moderation_engine_suites import HARMLESS, ImageModerationEngineSuite, ModerationEngineSuite
from pictures import animation, drawing, encoded, photo, plain
from smalt.core.errors import ContextLengthExceeded, EngineFailed, InvalidRequest
from smalt.core.settings import DeploymentSettings, Settings, load_settings
from smalt.engines.host.client import EngineHost
from smalt.engines.host.launcher import HostProcess, start_host
from smalt.engines.protocols import ImageModerationEngine, ModerationEngine
from smalt.models import Models

pytestmark = pytest.mark.real

BOOK = f"{HARMLESS} The weather was fine and the ships went by. " * 600


@pytest.fixture(scope="module")
def settings(starter_data_dir: Path) -> Settings:
    weights = {"model": "pack:embeddings", "tokenizer": "pack:embeddings"}
    small = DeploymentSettings(engine="moderation", weights=weights, options={"max_characters": 1000})
    encoder = str(next((starter_data_dir / "models" / "embeddings").glob("*.onnx")))
    wrong = DeploymentSettings(engine="image_moderation", weights={"model": encoder, "nsfw": encoder})
    made = {"small": small, "wrong": wrong}
    return load_settings(data_dir=starter_data_dir, offline=True).model_copy(update={"deployments": made})


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    with start_host(load_settings(data_dir=tmp_path_factory.mktemp("host"))) as host:
        yield host


@pytest.fixture
async def models(settings: Settings, host: HostProcess) -> AsyncIterator[Models]:
    client = await EngineHost.connect(host.socket_path)
    models = Models(settings, client)
    yield models
    await models.close()
    await client.close()


class TestModeration(ModerationEngineSuite):
    @pytest.fixture
    async def engine(self, models: Models) -> AsyncIterator[ModerationEngine]:
        async with models.lease("omni-moderation-latest", ModerationEngine) as engine:
            yield engine

    async def test_text_that_is_not_unicode_is_refused(self, engine: ModerationEngine):
        with pytest.raises(InvalidRequest, match="valid Unicode") as refusal:
            await engine.moderate(["\ud800"])
        assert refusal.value.param == "input"

    async def test_short_texts_overtake_a_book(self, engine: ModerationEngine):
        book = asyncio.create_task(engine.moderate([BOOK]))
        for _ in range(5):
            await engine.moderate([HARMLESS])
        assert not book.done()
        book.cancel()

    async def test_a_cancelled_book_leaves_the_worker(self, engine: ModerationEngine):
        books = [asyncio.create_task(engine.moderate([BOOK * 20])) for _ in range(20)]
        await engine.moderate([HARMLESS])
        for book in books:
            book.cancel()
        async with asyncio.timeout(60):
            await engine.moderate([HARMLESS])


class TestImageModeration(ImageModerationEngineSuite):
    @pytest.fixture
    async def engine(self, models: Models) -> AsyncIterator[ImageModerationEngine]:
        async with models.lease("image-moderation", ImageModerationEngine) as engine:
            yield engine

    async def test_real_pictures_without_harm_score_low(self, engine: ImageModerationEngine):
        for scores in await engine.moderate_images([photo(), drawing()]):
            assert scores.keys() == {"sexual", "violence", "violence/graphic"}
            assert max(scores.values()) < 0.1

    async def test_an_animation_scores_as_the_worst_of_its_frames(self, engine: ImageModerationEngine):
        frames = [plain((200, 120, 90)), plain((20, 120, 200))]
        stills = await engine.moderate_images([encoded(frame, "WEBP", lossless=True) for frame in frames])
        (moving,) = await engine.moderate_images([animation(frames, "WEBP")])
        for name, score in moving.items():
            assert score == pytest.approx(max(still[name] for still in stills), abs=0.01)

    async def test_a_broken_picture_is_refused_and_harms_nobody(self, engine: ImageModerationEngine):
        with pytest.raises(InvalidRequest, match="Picture 2") as refusal:
            await engine.moderate_images([photo(), photo()[:2000]])
        assert refusal.value.code == "image_parse_error"
        assert await engine.moderate_images([photo()])


async def test_too_much_text_is_refused_with_the_limit(models: Models):
    async with models.lease("small", ModerationEngine) as engine:
        assert await engine.moderate([HARMLESS])
        with pytest.raises(ContextLengthExceeded, match="1000") as refusal:
            await engine.moderate(["x" * 600, "y" * 600])
    assert refusal.value.param == "input"


async def test_another_kind_of_model_is_not_used_for_pictures(models: Models):
    with pytest.raises(EngineFailed, match="another kind of model"):
        async with models.lease("wrong", ImageModerationEngine):
            pass
