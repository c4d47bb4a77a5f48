"""The engines that need no model keep what every engine keeps: echo, and another server reached by URL."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from contract.audio_engine_suites import (
    TEXT,
    SpeechEngineSuite,
    TranscriptionEngineSuite,
    spoken,
    words_of,
)
from contract.engine_suites import ChatEngineSuite, CompletionEngineSuite, EmbeddingEngineSuite
from contract.moderation_engine_suites import ImageModerationEngineSuite, ModerationEngineSuite
from serving import Served, serving
from smalt.core.settings import DeploymentSettings, Settings
from smalt.engines.audio import Utterance
from smalt.engines.echo import EchoEngine
from smalt.engines.protocols import Deployment
from smalt.engines.upstream import UpstreamEngine


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of our own, which speaks OpenAI's wire."""
    folder: Path = tmp_path_factory.mktemp("far")
    with serving(
        Settings(data_dir=folder, starter=False, deployments={"m": DeploymentSettings(engine="echo")})
    ) as served:
        yield served


@pytest.fixture(params=["echo", "upstream"])
async def light_engine(request: pytest.FixtureRequest, far: Served) -> AsyncIterator[EchoEngine | UpstreamEngine]:
    if request.param == "echo":
        yield EchoEngine(Deployment("m", "echo", "m", frozenset()))
        return
    options = {"base_url": f"{far.url}/v1", "api_key": SecretStr(far.key)}
    engine = UpstreamEngine(Deployment("far", "upstream", "m", frozenset(), options=options))
    yield engine
    await engine.close()


class TestChat(ChatEngineSuite):
    @pytest.fixture
    def engine(self, light_engine: EchoEngine | UpstreamEngine) -> EchoEngine | UpstreamEngine:
        return light_engine


class TestCompletion(CompletionEngineSuite):
    @pytest.fixture
    def engine(self, light_engine: EchoEngine | UpstreamEngine) -> EchoEngine | UpstreamEngine:
        return light_engine


class TestEmbedding(EmbeddingEngineSuite):
    @pytest.fixture
    def engine(self, light_engine: EchoEngine | UpstreamEngine) -> EchoEngine | UpstreamEngine:
        return light_engine


class TestModeration(ModerationEngineSuite):
    violent = "I will do this: [[moderate violence=0.9]]."

    @pytest.fixture
    def engine(self, light_engine: EchoEngine | UpstreamEngine) -> EchoEngine | UpstreamEngine:
        return light_engine


class TestImageModeration(ImageModerationEngineSuite):
    @pytest.fixture
    def engine(self, light_engine: EchoEngine | UpstreamEngine) -> EchoEngine | UpstreamEngine:
        return light_engine


class TestTranscription(TranscriptionEngineSuite):
    most_misheard = 0.0

    @pytest.fixture
    def engine(self, light_engine: EchoEngine | UpstreamEngine) -> EchoEngine | UpstreamEngine:
        return light_engine

    @pytest.fixture
    async def speech(self) -> bytes:
        echo = EchoEngine(Deployment("m", "echo", "m", frozenset()))
        return (await spoken(echo.speak(Utterance(TEXT, "alloy", "wav")))).content

    @pytest.fixture
    def words(self) -> list[str]:
        return words_of(TEXT)


class TestSpeech(SpeechEngineSuite):
    knows_its_usage = False

    @pytest.fixture
    def engine(self, light_engine: EchoEngine | UpstreamEngine) -> EchoEngine | UpstreamEngine:
        return light_engine
