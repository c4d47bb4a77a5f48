"""The engines that run starter models keep what every engine keeps."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from contract.audio_engine_suites import SpeechEngineSuite, TranscriptionEngineSuite, words_of
from contract.engine_suites import ChatEngineSuite, CompletionEngineSuite, EmbeddingEngineSuite
from piper_voices import joe
from recordings import SENTENCES, Clip, sentence
from smalt.core.settings import Settings, load_settings
from smalt.engines.audio import SpeechEngine, TranscriptionEngine
from smalt.engines.host.client import EngineHost
from smalt.engines.host.launcher import HostProcess, start_host
from smalt.engines.protocols import ChatEngine, CompletionEngine, EmbeddingEngine
from smalt.models import Models

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def settings(starter_data_dir: Path) -> Settings:
    deployments = {
        "joe": {"engine": "piper", "weights": {"model": str(joe()), "config": f"{joe()}.json"}},
        "espeak": {"engine": "espeak_ng"},
    }
    return load_settings(data_dir=starter_data_dir, offline=True, deployments=deployments)


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


class TestChat(ChatEngineSuite):
    @pytest.fixture
    async def engine(self, models: Models) -> AsyncIterator[ChatEngine]:
        async with models.lease("smollm2-135m-instruct", ChatEngine) as engine:
            yield engine


class TestCompletion(CompletionEngineSuite):
    @pytest.fixture(params=["smollm2-135m-instruct", "gemma-3-270m"])
    async def engine(self, request: pytest.FixtureRequest, models: Models) -> AsyncIterator[CompletionEngine]:
        async with models.lease(request.param, CompletionEngine) as engine:
            yield engine


class TestEmbedding(EmbeddingEngineSuite):
    @pytest.fixture
    async def engine(self, models: Models) -> AsyncIterator[EmbeddingEngine]:
        async with models.lease("all-minilm-l6-v2", EmbeddingEngine) as engine:
            yield engine


class TestTranscription(TranscriptionEngineSuite):
    most_misheard = 0.15

    @pytest.fixture
    async def engine(self, models: Models) -> AsyncIterator[TranscriptionEngine]:
        async with models.lease("whisper-base", TranscriptionEngine) as engine:
            yield engine

    @pytest.fixture
    def clip(self) -> Clip:
        return sentence(SENTENCES[0])

    @pytest.fixture
    def speech(self, clip: Clip) -> bytes:
        return clip.content

    @pytest.fixture
    def words(self, clip: Clip) -> list[str]:
        return words_of(clip.text)


class TestSpeech(SpeechEngineSuite):
    @pytest.fixture
    async def engine(self, models: Models) -> AsyncIterator[SpeechEngine]:
        async with models.lease("kokoro-82m", SpeechEngine) as engine:
            yield engine


class TestPiper(SpeechEngineSuite):
    voices = ("joe",)
    # The voices are trained to say nothing twice in the same way.
    is_repeatable = False

    @pytest.fixture
    async def engine(self, models: Models) -> AsyncIterator[SpeechEngine]:
        async with models.lease("joe", SpeechEngine) as engine:
            yield engine


class TestEspeak(SpeechEngineSuite):
    # A pause may be longer by some hundredths of a second, after what was said before.
    is_repeatable = False

    @pytest.fixture
    async def engine(self, models: Models) -> AsyncIterator[SpeechEngine]:
        async with models.lease("espeak", SpeechEngine) as engine:
            yield engine
