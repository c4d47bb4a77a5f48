"""A Piper voice in its worker: understood, at any speed, by the names of its speakers."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from listening import ALICE, misheard, spoken
from piper_voices import joe
from smalt.core.errors import EngineFailed, InvalidRequest, UnsupportedParameter
from smalt.core.settings import load_settings
from smalt.engines.audio import SpeechAudio, Utterance
from smalt.engines.host.client import EngineHost
from smalt.engines.host.launcher import HostProcess, start_host
from smalt.engines.piper import PiperEngine
from smalt.engines.protocols import Deployment
from sounds import RATE, samples_of

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    with start_host(load_settings(data_dir=tmp_path_factory.mktemp("data"))) as host:
        yield host


@pytest.fixture
async def engine(host: HostProcess) -> AsyncIterator[PiperEngine]:
    async with opened(host, options={"voices": {"alloy": "joe", "echo": 0}}) as engine:
        yield engine


@asynccontextmanager
async def opened(host: HostProcess, **parts: Mapping[str, Any]) -> AsyncIterator[PiperEngine]:
    weights = parts.get("weights") or {"model": str(joe()), "config": f"{joe()}.json"}
    deployment = Deployment(
        "joe", "piper", "joe", frozenset({"audio_speech"}), weights, options=parts.get("options") or {}
    )
    client = await EngineHost.connect(host.socket_path)
    try:
        async with client.lease(PiperEngine.worker(deployment)) as address:
            engine = PiperEngine.open(deployment, address)
            yield engine
            await engine.close()
    finally:
        await client.close()


async def test_a_story_is_understood(engine: PiperEngine, starter_data_dir: Path):
    content, end = await spoken(engine, ALICE, "joe")
    assert misheard(content, ALICE, starter_data_dir) < 0.05
    assert end.duration == pytest.approx(len(samples_of(content)) / RATE, abs=0.15)
    assert end.input_tokens > len(ALICE.split())


async def test_half_as_fast_again_it_is_still_understood(engine: PiperEngine, starter_data_dir: Path):
    content, _ = await spoken(engine, ALICE, "alloy", format="opus", speed=1.5)
    assert misheard(content, ALICE, starter_data_dir) < 0.1


@pytest.mark.parametrize("speed", [0.25, 0.5, 2.0, 4.0])
async def test_speed_is_kept(engine: PiperEngine, speed: float):
    text = "And what is the use of a book, thought Alice, without pictures or conversations?"
    _, usual = await spoken(engine, text, "default", format="pcm")
    content, end = await spoken(engine, text, "default", format="pcm", speed=speed)
    # A voice never says a sentence twice in exactly the same time.
    assert end.duration * speed == pytest.approx(usual.duration, rel=0.1)
    assert len(content) / 2 / 24_000 == pytest.approx(end.duration, abs=0.11)


@pytest.mark.parametrize("voice", ["default", "joe", "Joe", "0", "alloy", "echo"])
async def test_a_voice_answers_to_its_names(engine: PiperEngine, voice: str):
    content, _ = await spoken(engine, "Good morning", voice, format="pcm")
    assert np.abs(np.frombuffer(content, "<i2")).max() > 3_000


async def test_a_name_that_nobody_has_is_refused_with_those_there_are(engine: PiperEngine):
    for voice in ("nova", "1", "-1", ""):
        with pytest.raises(InvalidRequest, match="alloy, echo, default, joe") as refusal:
            await spoken(engine, "Hello", voice)
        assert refusal.value.param == "voice"


async def test_instructions_are_refused(engine: PiperEngine):
    with pytest.raises(UnsupportedParameter) as refusal:
        await spoken(engine, "Hello", "joe", instructions="Whisper.")
    assert refusal.value.param == "instructions"


async def test_what_looks_like_phonemes_is_read_out(engine: PiperEngine):
    _, marked = await spoken(engine, "one [[ seventeen thousand ]] two", "joe", format="pcm")
    _, plain = await spoken(engine, "one two", "joe", format="pcm")
    assert marked.duration > 1.6 * plain.duration


async def test_requests_at_once_are_all_spoken(engine: PiperEngine):
    files = await asyncio.gather(*(spoken(engine, "One, two, three.", "joe", format="wav") for _ in range(4)))
    assert all(content.startswith(b"RIFF") and end.duration > 0.5 for content, end in files)


async def test_a_reader_who_goes_away_leaves_the_worker_to_others(engine: PiperEngine):
    async with aclosing(engine.speak(Utterance("One sentence of many. " * 2_000, "joe", "pcm"))) as items:
        async for item in items:
            assert isinstance(item, SpeechAudio)
            break
    content, end = await spoken(engine, "And on.", "joe", format="pcm")
    assert len(content) > 10_000
    assert end.input_tokens > 3


async def test_the_configuration_is_found_beside_the_model(host: HostProcess):
    async with opened(host, weights={"model": str(joe())}) as engine:
        assert (await spoken(engine, "Hello", "joe"))[0]


async def test_a_name_for_a_speaker_that_is_not_there_is_told_when_the_worker_starts(host: HostProcess):
    with pytest.raises(EngineFailed, match=r"alloy = 'ann'.*default, joe"):
        async with opened(host, options={"voices": {"alloy": "ann"}}):
            pass


async def test_files_that_are_no_voice_are_told_when_the_worker_starts(host: HostProcess, tmp_path: Path):
    (tmp_path / "voice.onnx").write_bytes(b"no model")
    (tmp_path / "voice.onnx.json").write_text('{"audio": {}}')
    for config, message in (("voice.onnx.json", "no configuration"), (f"{joe()}.json", "onnxruntime cannot load")):
        weights = {"model": str(tmp_path / "voice.onnx"), "config": str(tmp_path / config)}
        with pytest.raises(EngineFailed, match=message):
            async with opened(host, weights=weights):
                pass
