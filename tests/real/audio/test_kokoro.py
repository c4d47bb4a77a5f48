"""Kokoro in its worker, through the engine host: what it says is heard by Whisper, run without Smalt."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from audio_serving import is_idle_soon
from listening import FIRST_ARTICLE, language_of, misheard, spoken
from recordings import sentence
from smalt.core.errors import InvalidRequest
from smalt.core.settings import load_settings
from smalt.engines.audio import SpeechAudio, Utterance
from smalt.engines.host.client import EngineHost
from smalt.engines.host.launcher import HostProcess, start_host
from smalt.engines.kokoro import KokoroEngine
from smalt.engines.protocols import Deployment
from smalt.engines.speech_worker.kokoro import KokoroOptions, KokoroSynthesizer

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

RATE = 24_000
VOICES = (
    *("alloy", "ash", "ballad", "coral", "echo", "fable", "nova"),
    *("onyx", "sage", "shimmer", "verse", "marin", "cedar"),
)

NATIVES = {"es": "ef_dora", "fr": "ff_siwis", "hi": "hf_alpha", "it": "if_sara", "pt": "pf_dora"}


@pytest.fixture(scope="module")
def deployment(starter_data_dir: Path) -> Deployment:
    pack = starter_data_dir / "models" / "speech"
    weights = {"model": str(next(pack.glob("*.onnx"))), "voices": str(pack / "voices.bin")}
    return Deployment("kokoro-82m", "kokoro", "kokoro-82m", frozenset({"audio_speech"}), weights)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    with start_host(load_settings(data_dir=tmp_path_factory.mktemp("data"))) as host:
        yield host


@pytest.fixture
async def engine(host: HostProcess, deployment: Deployment) -> AsyncIterator[KokoroEngine]:
    client = await EngineHost.connect(host.socket_path)
    async with client.lease(KokoroEngine.worker(deployment)) as address:
        engine = KokoroEngine.open(deployment, address)
        yield engine
        await engine.close()
    await client.close()


@pytest.fixture(scope="module")
def said() -> dict[str, NDArray[np.float32]]:
    """What the voices said, for the tests after the one in which they say it."""
    return {}


def samples_in(wav: bytes) -> NDArray[np.float32]:
    return np.frombuffer(wav[44:], "<i2").astype(np.float32) / 2**15


def pitch(samples: NDArray[np.float32]) -> float:
    """The median frequency of the voice, by the distance at which loud stretches of 50 ms are most like themselves."""
    frames = samples[: samples.size // 1200 * 1200].reshape(-1, 1200)
    loud = frames[np.abs(frames).mean(axis=1) > np.abs(samples).mean()]
    spectra = np.abs(np.fft.rfft(loud - loud.mean(axis=1, keepdims=True), 4096)) ** 2
    likeness = np.fft.irfft(spectra)[:, RATE // 400 : RATE // 60]
    return float(np.median(RATE / (likeness.argmax(axis=1) + RATE // 400)))


def colour(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """How loud a voice is in 64 bands of its spectrum, over everything that it says."""
    frames = samples[: samples.size // 1024 * 1024].reshape(-1, 1024) * np.hanning(1024)
    power = (np.abs(np.fft.rfft(frames)[:, 1:513]) ** 2).mean(axis=0).reshape(64, 8).mean(axis=1)
    loudness = np.log(power + 1e-9)
    return loudness - loudness.mean()


@pytest.mark.parametrize("voice", VOICES)
async def test_every_voice_is_understood(
    engine: KokoroEngine, starter_data_dir: Path, said: dict[str, NDArray[np.float32]], voice: str
):
    text = sentence("0890").text
    content, end = await spoken(engine, text, voice, format="wav")
    said[voice] = samples_in(content)
    assert end.duration == pytest.approx(said[voice].size / RATE, abs=0.1)
    assert end.input_tokens > len(text.split())
    assert end.output_tokens == round(20 * end.duration)
    assert misheard(content, text, starter_data_dir) < 0.05


def test_no_two_voices_sound_alike(said: dict[str, NDArray[np.float32]]):
    if len(said) < len(VOICES):
        pytest.skip("the voices have not all spoken in this run")
    colours = [colour(said[voice]) for voice in VOICES]
    pitches = [pitch(said[voice]) for voice in VOICES]
    for one in range(len(VOICES)):
        for other in range(one):
            apart = float(np.abs(colours[one] - colours[other]).mean())
            assert apart > 0.15 or abs(pitches[one] / pitches[other] - 1) > 0.03, (VOICES[one], VOICES[other])


async def test_a_speed_changes_the_length_and_not_the_pitch(engine: KokoroEngine):
    text = sentence("0880").text
    usual = samples_in((await spoken(engine, text, "alloy", format="wav"))[0])
    for speed in (0.5, 2.0):
        changed = samples_in((await spoken(engine, text, "alloy", format="wav", speed=speed))[0])
        assert usual.size / changed.size == pytest.approx(speed, rel=0.15)
        assert pitch(changed) == pytest.approx(pitch(usual), rel=0.08)


@pytest.mark.parametrize("language", list(NATIVES))
async def test_other_languages_are_heard_as_what_they_are(engine: KokoroEngine, starter_data_dir: Path, language: str):
    content, _ = await spoken(engine, FIRST_ARTICLE[language], NATIVES[language], format="wav")
    assert language_of(content, starter_data_dir) == language


async def test_the_work_ends_when_its_reader_goes(engine: KokoroEngine, host: HostProcess):
    (worker,) = psutil.Process(host.pid).children()
    async with aclosing(
        engine.speak(Utterance("Let us see.\n\n" + "Nobody will hear this. " * 150, "alloy", "pcm"))
    ) as events:
        assert isinstance(await anext(events), SpeechAudio)
    assert await asyncio.to_thread(is_idle_soon, worker), "minutes of speech are still made"


@pytest.mark.parametrize(
    ("utterance", "param", "why"),
    [
        (Utterance("Hello.", "nobody"), "voice", "Choose one of: alloy, ash"),
        (Utterance("Hello.", "jf_alpha"), "voice", "cannot read"),
        (Utterance("Hello.", "alloy", instructions="Whisper it."), "instructions", "leave it out"),
        (Utterance("\u4f60\u597d\uff0c\u4e16\u754c\u3002", "alloy"), "input", "cannot read most of the letters"),
        (Utterance("Lone \ud800 surrogate", "alloy"), "input", "not valid Unicode"),
    ],
    ids=["voice", "japanese", "instructions", "chinese", "surrogate"],
)
async def test_what_cannot_be_spoken_is_refused_by_name(
    engine: KokoroEngine, utterance: Utterance, param: str, why: str
):
    with pytest.raises(InvalidRequest, match=why) as refusal:
        await anext(engine.speak(utterance))
    assert refusal.value.param == param


def test_a_sentence_can_be_stopped_in_the_middle(deployment: Deployment):
    synthesizer = KokoroSynthesizer(KokoroOptions(deployment.weights["model"], deployment.weights["voices"], 1))
    failures: list[BaseException] = []

    def speak() -> None:
        try:
            synthesizer.speak("nobody will hear all of this, " * 60, "af_alloy", 1.0)
        except Exception as failure:  # noqa: BLE001 whatever onnxruntime raises
            failures.append(failure)

    thread = threading.Thread(target=speak)
    thread.start()
    while thread.is_alive():
        synthesizer.stop()
        thread.join(0.05)
    assert failures
    assert synthesizer.speak("Yes.", "af_alloy", 1.0).samples.size
    assert synthesizer.speak("\u2026", "af_alloy", 1.0).samples.size == 0
