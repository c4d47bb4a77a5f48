"""Kokoro in its worker, through the engine host: what it says is heard by Whisper, run without Smalt."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest
from faster_whisper import WhisperModel
from jiwer import wer
from numpy.typing import NDArray
from whisper_normalizer.english import EnglishTextNormalizer

from recordings import sentence
from smalt.core.errors import InvalidRequest
from smalt.core.settings import load_settings
from smalt.engines.audio import SpeechAudio, SpeechEnd, Utterance
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

# The first article of the Universal Declaration of Human Rights, as the United Nations translated it.
HINDI = (
    "\u0938\u092d\u0940 \u092e\u0928\u0941\u0937\u094d\u092f\u094b\u0902 \u0915\u094b \u0917\u094c\u0930\u0935 "
    "\u0914\u0930 \u0905\u0927\u093f\u0915\u093e\u0930\u094b\u0902 \u0915\u0947 \u092e\u093e\u092e\u0932\u0947 "
    "\u092e\u0947\u0902 \u091c\u0928\u094d\u092e\u091c\u093e\u0924 "
    "\u0938\u094d\u0935\u0924\u0928\u094d\u0924\u094d\u0930\u0924\u093e \u0914\u0930 "
    "\u0938\u092e\u093e\u0928\u0924\u093e \u092a\u094d\u0930\u093e\u092a\u094d\u0924 \u0939\u0948\u0964"
)
FIRST_ARTICLE = {
    "es": ("ef_dora", "Todos los seres humanos nacen libres e iguales en dignidad y derechos."),
    "fr": ("ff_siwis", "Tous les \u00eatres humains naissent libres et \u00e9gaux en dignit\u00e9 et en droits."),
    "hi": ("hf_alpha", HINDI),
    "it": ("if_sara", "Tutti gli esseri umani nascono liberi ed eguali in dignit\u00e0 e diritti."),
    "pt": ("pf_dora", "Todos os seres humanos nascem livres e iguais em dignidade e em direitos."),
}


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
def whisper(starter_data_dir: Path) -> WhisperModel:
    folder = starter_data_dir / "models" / "transcription"
    return WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=2)


@pytest.fixture(scope="module")
def spoken() -> dict[str, NDArray[np.float32]]:
    """What the voices said, for the tests after the one in which they say it."""
    return {}


async def said(
    engine: KokoroEngine, text: str, voice: str, speed: float = 1.0
) -> tuple[NDArray[np.float32], SpeechEnd]:
    data: list[bytes] = []
    async for event in engine.speak(Utterance(text, voice, "pcm", speed)):
        if isinstance(event, SpeechEnd):
            return np.frombuffer(b"".join(data), "<i2").astype(np.float32) / 2**15, event
        assert isinstance(event, SpeechAudio)
        data.append(event.data)
    raise AssertionError("no end")


def at_16_khz(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    times = np.arange(0, samples.size - 1, RATE / 16_000)
    return np.interp(times, np.arange(samples.size), samples).astype(np.float32)


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
    engine: KokoroEngine, whisper: WhisperModel, spoken: dict[str, NDArray[np.float32]], voice: str
):
    text = sentence("0890").text
    spoken[voice], end = await said(engine, text, voice)
    assert end.duration == pytest.approx(spoken[voice].size / RATE, abs=0.1)
    assert end.input_tokens > len(text.split())
    assert end.output_tokens == round(20 * end.duration)
    segments, _ = whisper.transcribe(at_16_khz(spoken[voice]), language="en", beam_size=1)
    heard = " ".join(segment.text for segment in segments)
    normal = EnglishTextNormalizer()
    assert wer(normal(text), normal(heard)) < 0.05, heard


def test_no_two_voices_sound_alike(spoken: dict[str, NDArray[np.float32]]):
    if len(spoken) < len(VOICES):
        pytest.skip("the voices have not all spoken in this run")
    colours = [colour(spoken[voice]) for voice in VOICES]
    pitches = [pitch(spoken[voice]) for voice in VOICES]
    for one in range(len(VOICES)):
        for other in range(one):
            apart = float(np.abs(colours[one] - colours[other]).mean())
            assert apart > 0.15 or abs(pitches[one] / pitches[other] - 1) > 0.03, (VOICES[one], VOICES[other])


async def test_a_speed_changes_the_length_and_not_the_pitch(engine: KokoroEngine):
    text = sentence("0880").text
    usual, _ = await said(engine, text, "alloy")
    for speed in (0.5, 2.0):
        changed, _ = await said(engine, text, "alloy", speed)
        assert usual.size / changed.size == pytest.approx(speed, rel=0.15)
        assert pitch(changed) == pytest.approx(pitch(usual), rel=0.08)


@pytest.mark.parametrize("language", list(FIRST_ARTICLE))
async def test_other_languages_are_heard_as_what_they_are(engine: KokoroEngine, whisper: WhisperModel, language: str):
    voice, text = FIRST_ARTICLE[language]
    samples, _ = await said(engine, text, voice)
    found, _, _ = whisper.detect_language(at_16_khz(samples))
    assert found == language


async def test_a_request_that_is_given_up_leaves_the_worker_to_the_next(engine: KokoroEngine):
    async with aclosing(
        engine.speak(Utterance("Let us see. " + "Nobody will hear this. " * 150, "alloy", "pcm"))
    ) as events:
        assert isinstance(await anext(events), SpeechAudio)
    _, end = await said(engine, "Yes.", "alloy")
    assert end.duration < 3


async def test_two_at_once_are_both_answered(engine: KokoroEngine):
    (one, _), (other, _) = await asyncio.gather(
        said(engine, "One.", "alloy"), said(engine, "Two, three, four.", "onyx")
    )
    assert 0 < one.size < other.size


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
