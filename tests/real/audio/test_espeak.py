"""espeak-ng in its worker: understood, in many languages, with a voice of its own for every name."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest

from listening import ALICE, FIRST_ARTICLE, language_of, misheard, spoken
from smalt.core.errors import EngineFailed, InvalidRequest, UnsupportedParameter
from smalt.core.settings import load_settings
from smalt.engines.audio import SpeechAudio, Utterance
from smalt.engines.espeak_ng import EspeakNgEngine
from smalt.engines.host.client import EngineHost
from smalt.engines.host.launcher import HostProcess, start_host
from smalt.engines.protocols import Deployment
from sounds import RATE, samples_of

pytestmark = pytest.mark.real

DEPLOYMENT = Deployment("espeak", "espeak_ng", "espeak", frozenset({"audio_speech"}))
OPENAI_VOICES = (
    *("alloy", "ash", "ballad", "coral", "echo", "fable", "onyx"),
    *("nova", "sage", "shimmer", "verse", "marin", "cedar"),
)
SECOND_SENTENCES = {
    "es": (
        "Dotados como est\u00e1n de raz\u00f3n y conciencia, deben comportarse fraternalmente los unos con los otros."
    ),
    "fr": (
        "Ils sont dou\u00e9s de raison et de conscience et doivent agir les uns envers les autres "
        "dans un esprit de fraternit\u00e9."
    ),
    "it": (
        "Essi sono dotati di ragione e di coscienza e devono agire gli uni verso gli altri in spirito di fratellanza."
    ),
}
ARTICLES = {language: f"{FIRST_ARTICLE[language]} {second}" for language, second in SECOND_SENTENCES.items()}
"""The whole first article: of this voice, Whisper needs more than a sentence to tell the language."""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    with start_host(load_settings(data_dir=tmp_path_factory.mktemp("data"))) as host:
        yield host


@pytest.fixture
async def engine(host: HostProcess) -> AsyncIterator[EspeakNgEngine]:
    client = await EngineHost.connect(host.socket_path)
    async with client.lease(EspeakNgEngine.worker(DEPLOYMENT)) as address:
        engine = EspeakNgEngine.open(DEPLOYMENT, address)
        yield engine
        await engine.close()
    await client.close()


def samples(pcm: bytes) -> np.ndarray:
    return np.frombuffer(pcm, "<i2") / 32_768


def loudness_by_frequency(pcm: bytes) -> np.ndarray:
    """The sound's power in bands of 100 Hz, below 4 kHz, in dB."""
    power = np.abs(np.fft.rfft(samples(pcm))) ** 2
    bands = np.array_split(power[: len(power) // 3], 40)
    return 10 * np.log10([band.mean() for band in bands])


async def test_a_story_is_understood(engine: EspeakNgEngine, starter_data_dir: Path):
    content, end = await spoken(engine, ALICE, "alloy", format="mp3")
    assert misheard(content, ALICE, starter_data_dir) < 0.15
    assert end.duration == pytest.approx(len(samples_of(content)) / RATE, abs=0.15)
    assert end.input_tokens > len(ALICE.split())


async def test_every_name_of_openai_has_a_voice_of_its_own(engine: EspeakNgEngine):
    files = [await spoken(engine, "The quick brown fox.", voice, format="pcm") for voice in OPENAI_VOICES]
    assert len({content for content, _ in files}) == len(OPENAI_VOICES)
    for content, _ in files:
        assert 0.5 < len(samples(content)) / 24_000 < 4
        assert np.abs(samples(content)).max() > 0.2


@pytest.mark.parametrize("language", list(ARTICLES))
async def test_other_languages_are_known_as_such(engine: EspeakNgEngine, starter_data_dir: Path, language: str):
    content, _ = await spoken(engine, ARTICLES[language], language, format="flac")
    assert language_of(content, starter_data_dir) == language


async def test_variants_and_languages_go_together_in_any_case(engine: EspeakNgEngine):
    voices = ("de", "de+f2", "DE+F2", "de+Mike")
    files = [await spoken(engine, "Guten Morgen", voice, format="pcm") for voice in voices]
    shares = [loudness_by_frequency(content) for content, _ in files]
    # The library begins where it left off with the phase of its waves, so no two files are quite the same.
    assert np.corrcoef(shares[1], shares[2])[0, 1] > 0.99
    assert all(np.corrcoef(shares[1], shares[other])[0, 1] < 0.95 for other in (0, 3))


@pytest.mark.parametrize("speed", [0.25, 0.5, 1.5, 2.0, 4.0])
async def test_speed_is_kept(engine: EspeakNgEngine, speed: float):
    text = "And what is the use of a book, thought Alice, without pictures or conversations?"
    _, usual = await spoken(engine, text, "en-gb", format="pcm")
    content, end = await spoken(engine, text, "en-gb", format="pcm", speed=speed)
    assert end.duration * speed == pytest.approx(usual.duration, rel=0.08)
    assert len(samples(content)) / 24_000 == pytest.approx(end.duration, abs=0.11)


async def test_what_looks_like_markup_is_read_out(engine: EspeakNgEngine):
    _, marked = await spoken(engine, 'if a <b> then [[c]] & <audio src="d"/>', "en-us", format="pcm")
    _, plain = await spoken(engine, "if a then", "en-us", format="pcm")
    assert marked.duration > 2 * plain.duration


async def test_a_voice_that_nobody_has_is_refused_with_those_there_are(engine: EspeakNgEngine):
    for voice in ("nobody", "en-us+nobody", "fo", "../../etc/passwd", "", "+f2"):
        with pytest.raises(InvalidRequest, match=r"alloy, .*\(af, .*, fr, .*Mike") as refusal:
            await spoken(engine, "Hello", voice)
        assert refusal.value.param == "voice"


async def test_instructions_are_refused(engine: EspeakNgEngine):
    with pytest.raises(UnsupportedParameter) as refusal:
        await spoken(engine, "Hello", "alloy", instructions="Whisper.")
    assert refusal.value.param == "instructions"


async def test_requests_at_once_get_their_own_voices(engine: EspeakNgEngine):
    voices = ["alloy", "ash", "fr", "de+f2"] * 2
    alone = {voice: await spoken(engine, "One two three", voice, format="wav") for voice in voices}
    together = await asyncio.gather(*(spoken(engine, "One two three", voice, format="wav") for voice in voices))
    for voice, (_, end) in zip(voices, together, strict=True):
        assert end.duration == pytest.approx(alone[voice][1].duration, abs=0.03)
        assert end.input_tokens == alone[voice][1].input_tokens


async def test_a_reader_who_goes_away_leaves_the_worker_to_others(engine: EspeakNgEngine):
    async with aclosing(engine.speak(Utterance("One sentence of many. " * 2_000, "alloy", "pcm"))) as items:
        async for item in items:
            assert isinstance(item, SpeechAudio)
            break
    content, _ = await spoken(engine, "And on.", "alloy")
    assert content


async def test_the_language_of_openais_voices_is_an_option(host: HostProcess, starter_data_dir: Path):
    deployment = Deployment("italian", "espeak_ng", "italian", frozenset({"audio_speech"}), options={"language": "it"})
    client = await EngineHost.connect(host.socket_path)
    async with client.lease(EspeakNgEngine.worker(deployment)) as address:
        engine = EspeakNgEngine.open(deployment, address)
        content, _ = await spoken(engine, ARTICLES["it"], "nova")
        await engine.close()
    await client.close()
    assert language_of(content, starter_data_dir) == "it"


async def test_a_language_that_nobody_speaks_is_told_when_the_worker_starts(host: HostProcess):
    deployment = Deployment("none", "espeak_ng", "none", frozenset({"audio_speech"}), options={"language": "klingon"})
    client = await EngineHost.connect(host.socket_path)
    with pytest.raises(EngineFailed, match="klingon"):
        async with client.lease(EspeakNgEngine.worker(deployment)):
            pass
    await client.close()
