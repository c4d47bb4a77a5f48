"""The engine `faster_whisper` with the starter model, in its worker, through the engine host."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest
from whisper_normalizer.english import EnglishTextNormalizer

import sounds
from recordings import SENTENCES, sentence
from smalt.core.errors import InvalidRequest
from smalt.core.settings import load_settings
from smalt.engines.audio import Recording, TranscriptEnd, TranscriptProgress, TranscriptSegment, VoiceActivity
from smalt.engines.faster_whisper import FasterWhisperEngine
from smalt.engines.host.client import EngineHost
from smalt.engines.host.launcher import HostProcess, start_host
from smalt.engines.protocols import Deployment

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

normalized = EnglishTextNormalizer()


@dataclass
class Heard:
    segments: list[TranscriptSegment]
    end: TranscriptEnd
    silent_steps: int = 0

    @property
    def text(self) -> str:
        return "".join(segment.text for segment in self.segments)


@pytest.fixture(scope="module")
def deployment(starter_data_dir: Path) -> Deployment:
    weights = {"model": str(starter_data_dir / "models" / "transcription")}
    return Deployment("whisper-base", "faster_whisper", "whisper-base", frozenset({"audio_transcription"}), weights)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    with start_host(load_settings(data_dir=tmp_path_factory.mktemp("data"))) as host:
        yield host


@pytest.fixture
async def engine(host: HostProcess, deployment: Deployment) -> AsyncIterator[FasterWhisperEngine]:
    client = await EngineHost.connect(host.socket_path)
    async with client.lease(FasterWhisperEngine.worker(deployment)) as address:
        engine = FasterWhisperEngine.open(deployment, address)
        yield engine
        await engine.close()
    await client.close()


@pytest.fixture(scope="module")
def chapter() -> sounds.Samples:
    """Five sentences with pauses between them: 31 seconds."""
    pause = sounds.silence(1.2)
    return np.concatenate(
        [part for number in SENTENCES for part in (sounds.samples_of(sentence(number).content), pause)]
    )


WORDS = " ".join(sentence(number).text for number in SENTENCES)


async def heard(engine: FasterWhisperEngine, content: bytes, **wanted: Any) -> Heard:
    events = [event async for event in engine.transcribe(Recording(content, "recording", **wanted))]
    segments = [event for event in events if isinstance(event, TranscriptSegment)]
    (end,) = [event for event in events if isinstance(event, TranscriptEnd)]
    assert events[-1] is end
    return Heard(segments, end, sum(isinstance(event, TranscriptProgress) for event in events))


def word_error_rate(words: str, text: str) -> float:
    return float(jiwer.wer(normalized(words), normalized(text)))


async def test_a_long_recording_is_heard_in_several_windows_in_time(
    engine: FasterWhisperEngine, chapter: sounds.Samples
):
    quiet = sounds.noise(45, level=0.002)
    told = await heard(engine, sounds.encoded(np.concatenate([chapter, quiet, chapter]), "flac"))
    assert word_error_rate(f"{WORDS} {WORDS}", told.text) < 0.05
    times = [time for segment in told.segments for time in (segment.start, segment.end)]
    assert times == sorted(times)
    assert times[-1] <= told.end.duration
    silent_from = len(chapter) / sounds.RATE
    assert not [one for one in told.segments if silent_from < one.start < silent_from + 44]
    assert (told.end.language, told.end.prompt_tokens) == ("english", 0)
    assert told.end.completion_tokens > 100
    assert {segment.seek for segment in told.segments} > {0}
    assert told.silent_steps >= 3, "each half minute that was read is told, so that the request's time begins anew"


async def test_words_and_the_bytes_of_tokens_spell_the_text(engine: FasterWhisperEngine):
    told = await heard(engine, sentence(SENTENCES[0]).content, with_logprobs=True, with_words=True)
    logprobs = [one for segment in told.segments for one in segment.logprobs]
    assert b"".join(bytes(one.bytes or ()) for one in logprobs).decode() == told.text
    assert "".join(one.token for one in logprobs) == told.text
    assert all(one.logprob <= 0 for one in logprobs)
    assert np.exp(np.mean([one.logprob for one in logprobs])) > 0.6
    for segment in told.segments:
        assert "".join(word.word for word in segment.words) == segment.text
        assert (segment.start, segment.end) == (segment.words[0].start, segment.words[-1].end)


async def test_cut_at_silences_the_words_stay_in_their_places(engine: FasterWhisperEngine, chapter: sounds.Samples):
    told = await heard(engine, sounds.wav(chapter), voice_activity=VoiceActivity())
    assert word_error_rate(WORDS, told.text) < 0.05
    assert told.segments[-1].end > 24


async def test_a_prompt_teaches_the_spelling_of_a_name(engine: FasterWhisperEngine):
    content = sentence(SENTENCES[0]).content
    told = await heard(engine, content, prompt="Mister John Dashwoode lives in Norland. <|endoftext|>")
    assert "Dashwoode" in told.text
    assert told.end.prompt_tokens > 5


async def test_a_temperature_is_used_as_it_is(engine: FasterWhisperEngine):
    told = await heard(engine, sentence(SENTENCES[1]).content, temperature=0.4)
    assert {segment.temperature for segment in told.segments} == {0.4}


@pytest.mark.parametrize(
    ("wanted", "param"),
    [
        ({"language": "english"}, "language"),
        ({"language": "zu"}, "language"),
        ({"with_speakers": True}, "response_format"),
        ({"max_hours": 0.001}, "file"),
        ({"voice_activity": VoiceActivity(prefix_padding_ms=10**6)}, "chunking_strategy"),
    ],
)
async def test_what_cannot_be_honoured_is_refused_by_name(
    engine: FasterWhisperEngine, wanted: dict[str, Any], param: str
):
    with pytest.raises(InvalidRequest) as refused:
        await heard(engine, sentence(SENTENCES[0]).content, **wanted)
    assert refused.value.param == param
