"""What every engine keeps that hears or speaks, whoever wrote it: one suite for each protocol."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast, get_args

import pytest

from contract.engine_suites import spelled
from smalt.core.errors import InvalidRequest
from smalt.engines.audio import (
    AudioFormat,
    Recording,
    SpeechAudio,
    SpeechEnd,
    SpeechEngine,
    TranscriptEnd,
    TranscriptionEngine,
    TranscriptProgress,
    TranscriptSegment,
    Utterance,
    VoiceActivity,
)
from smalt.engines.protocols import Serving
from sounds import silence, wav

SENTENCE = "The ship went out to sea."
TEXT = f"{SENTENCE} Nobody saw it again for seven years."
BEGINNINGS: dict[str, tuple[bytes, ...]] = {
    "mp3": (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"),
    "opus": (b"OggS",),
    "aac": (b"\xff\xf1", b"\xff\xf9", b"ID3"),
    "flac": (b"fLaC",),
    "wav": (b"RIFF",),
    "pcm": (b"",),
}
PCM_BYTES_A_SECOND = 48_000
SLACK_SECONDS = 0.3


@dataclass
class Transcribed:
    """Everything that was said of a recording."""

    segments: list[TranscriptSegment] = field(default_factory=list)
    ends: list[TranscriptEnd] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(segment.text for segment in self.segments).strip()

    @property
    def end(self) -> TranscriptEnd:
        (end,) = self.ends
        return end


@dataclass
class Spoken:
    """Everything that a speech was."""

    pieces: list[bytes] = field(default_factory=list)
    ends: list[SpeechEnd] = field(default_factory=list)

    @property
    def content(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def end(self) -> SpeechEnd:
        (end,) = self.ends
        return end


async def transcribed(events: AsyncIterator[Any]) -> Transcribed:
    told = Transcribed()
    is_first = True
    async for event in events:
        assert not told.ends, "nothing comes after the end"
        match event:
            case Serving():
                assert is_first, "what answers is said before anything else"
            case TranscriptEnd():
                told.ends.append(event)
            case TranscriptProgress():
                pass
            case _:
                told.segments.append(event)
        is_first = False
    assert len(told.ends) == 1
    return told


async def spoken(events: AsyncIterator[Any]) -> Spoken:
    told = Spoken()
    is_first = True
    async for event in events:
        assert not told.ends, "nothing comes after the end"
        match event:
            case Serving():
                assert is_first, "what answers is said before anything else"
            case SpeechEnd():
                told.ends.append(event)
            case _:
                told.pieces.append(event.data)
        is_first = False
    assert len(told.ends) == 1
    return told


def words_of(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


class TranscriptionEngineSuite:
    """What every `TranscriptionEngine` keeps; `speech` is a recording of some sentences in English, `words` are said.

    A model may mishear, so of the words only the most must be there.
    """

    most_misheard: ClassVar[float] = 0.1
    can_score_tokens: ClassVar[bool] = True

    @pytest.fixture
    def engine(self) -> TranscriptionEngine:
        raise NotImplementedError

    @pytest.fixture
    def speech(self) -> bytes:
        raise NotImplementedError

    @pytest.fixture
    def words(self) -> list[str]:
        raise NotImplementedError

    async def test_what_is_said_is_heard_in_segments_that_follow_one_another(
        self, engine: TranscriptionEngine, speech: bytes, words: list[str]
    ):
        told = await transcribed(engine.transcribe(Recording(speech, "speech.wav")))
        heard = words_of(told.text)
        missing = [word for word in words if word not in heard]
        assert len(missing) <= self.most_misheard * len(words)
        assert abs(len(heard) - len(words)) <= self.most_misheard * len(words)
        assert told.end.language == "english"
        times = [time for segment in told.segments for time in (segment.start, segment.end)]
        assert times == sorted(times)
        assert 0 <= times[0] < times[-1] <= told.end.duration + SLACK_SECONDS
        assert all(segment.avg_logprob <= 0 and segment.seek >= 0 for segment in told.segments)
        assert all(0 <= segment.no_speech_prob <= 1 for segment in told.segments)
        # These come only when they are asked for.
        assert not any(segment.words or segment.logprobs or segment.speaker for segment in told.segments)

    async def test_words_spell_their_segments_and_lie_in_them(self, engine: TranscriptionEngine, speech: bytes):
        told = await transcribed(engine.transcribe(Recording(speech, "speech.wav", language="en", with_words=True)))
        assert told.end.language == "english"
        said = [word for segment in told.segments for word in segment.words]
        assert words_of(" ".join(word.word for word in said)) == words_of(told.text)
        assert all(word.start <= word.end for word in said)
        assert [word.start for word in said] == sorted(word.start for word in said)
        for segment in told.segments:
            assert all(segment.start - SLACK_SECONDS <= word.start <= segment.end for word in segment.words)

    async def test_log_probabilities_spell_the_text(self, engine: TranscriptionEngine, speech: bytes):
        if not self.can_score_tokens:
            return
        recording = Recording(speech, "speech.wav", with_logprobs=True, with_times=False)
        told = await transcribed(engine.transcribe(recording))
        entries = [entry for segment in told.segments for entry in segment.logprobs]
        assert spelled(entries).strip() == told.text
        assert all(entry.logprob <= 0 for entry in entries)

    async def test_text_alone_is_the_text_of_the_segments(self, engine: TranscriptionEngine, speech: bytes):
        whole = await transcribed(engine.transcribe(Recording(speech, "speech.wav")))
        alone = await transcribed(engine.transcribe(Recording(speech, "speech.wav", with_times=False)))
        streamed = await transcribed(engine.transcribe(Recording(speech, "speech.wav", with_times=False, stream=True)))
        assert whole.text == alone.text == streamed.text

    async def test_a_translation_of_english_is_what_is_said(
        self, engine: TranscriptionEngine, speech: bytes, words: list[str]
    ):
        told = await transcribed(engine.transcribe(Recording(speech, "speech.wav", task="translate")))
        assert len(set(words) - set(words_of(told.text))) <= self.most_misheard * len(words)

    async def test_chunks_at_silences_say_the_same(self, engine: TranscriptionEngine, speech: bytes, words: list[str]):
        told = await transcribed(
            engine.transcribe(Recording(speech, "speech.wav", voice_activity=VoiceActivity(), temperature=0.2))
        )
        assert len(set(words) - set(words_of(told.text))) <= 2 * self.most_misheard * len(words)

    async def test_nobody_speaks_in_silence(self, engine: TranscriptionEngine):
        told = await transcribed(engine.transcribe(Recording(wav(silence(2.0)), "silence.wav")))
        assert told.text == ""
        assert told.end.duration == pytest.approx(2.0, abs=0.1)

    @pytest.mark.parametrize("content", [b"", b"This is a text, whatever its name.", b"PK\x03\x04" + bytes(100)])
    async def test_what_is_no_sound_is_refused_by_name(self, engine: TranscriptionEngine, content: bytes):
        with pytest.raises(InvalidRequest, match="Invalid file format") as refusal:
            await transcribed(engine.transcribe(Recording(content, "speech.mp3")))
        assert refusal.value.param == "file"

    async def test_speakers_are_told_apart_or_refused_by_name(self, engine: TranscriptionEngine, speech: bytes):
        recording = Recording(speech, "speech.wav", with_speakers=True)
        try:
            told = await transcribed(engine.transcribe(recording))
        except InvalidRequest as refusal:
            if refusal.param != "response_format":
                raise
        else:
            assert all(segment.speaker for segment in told.segments)

    async def test_closing_early_leaves_the_engine_to_others(self, engine: TranscriptionEngine, speech: bytes):
        async with aclosing(cast("Any", engine.transcribe(Recording(speech, "speech.wav")))) as events:
            async for event in events:
                if isinstance(event, TranscriptSegment):
                    break
        assert (await transcribed(engine.transcribe(Recording(speech, "speech.wav")))).segments

    async def test_two_can_ask_at_once(self, engine: TranscriptionEngine, speech: bytes):
        told = await asyncio.gather(
            *(transcribed(engine.transcribe(Recording(speech, "speech.wav"))) for _ in range(2))
        )
        assert told[0].text == told[1].text != ""


class SpeechEngineSuite:
    """What every `SpeechEngine` keeps; `voices` are two that it has, or the only one."""

    voices: ClassVar[tuple[str, ...]] = ("alloy", "onyx")
    knows_its_usage: ClassVar[bool] = True
    is_repeatable: ClassVar[bool] = True

    @pytest.fixture
    def engine(self) -> SpeechEngine:
        raise NotImplementedError

    def utterance(self, text: str = TEXT, **fields: Any) -> Utterance:
        asked: dict[str, Any] = {"voice": self.voices[0], "format": "pcm", **fields}
        return Utterance(text, **asked)

    @pytest.mark.parametrize("audio_format", get_args(AudioFormat))
    async def test_every_format_is_a_file_of_its_kind(self, engine: SpeechEngine, audio_format: AudioFormat):
        told = await spoken(engine.speak(self.utterance("Hello.", format=audio_format)))
        assert told.content.startswith(BEGINNINGS[audio_format])
        assert len(told.content) > 100

    async def test_a_speech_lasts_as_long_as_it_says_and_comes_before_all_is_said(self, engine: SpeechEngine):
        told = await spoken(engine.speak(self.utterance(f"{SENTENCE}\n\nNobody saw it again.")))
        assert len(told.pieces) > 1
        assert told.end.input_tokens > 0
        if self.knows_its_usage:
            assert told.end.duration == pytest.approx(len(told.content) / PCM_BYTES_A_SECOND, abs=0.05)
            assert told.end.output_tokens > 0
        less = await spoken(engine.speak(self.utterance(SENTENCE)))
        assert len(told.content) > 1.5 * len(less.content)

    async def test_speed_is_a_factor(self, engine: SpeechEngine):
        plain = await spoken(engine.speak(self.utterance(SENTENCE)))
        for speed in (0.5, 4.0):
            other = await spoken(engine.speak(self.utterance(SENTENCE, speed=speed)))
            assert len(plain.content) / len(other.content) == pytest.approx(speed, rel=0.25)

    async def test_voices_differ(self, engine: SpeechEngine):
        asked = [self.utterance("Hello.", voice=voice) for voice in self.voices]
        contents = [(await spoken(engine.speak(one))).content for one in asked]
        assert len(set(contents)) == len(contents)

    async def test_a_voice_that_nobody_has_is_refused_with_those_there_are(self, engine: SpeechEngine):
        with pytest.raises(InvalidRequest, match=self.voices[0]) as refusal:
            await spoken(engine.speak(self.utterance(voice="nobody-s-voice")))
        assert refusal.value.param == "voice"

    async def test_instructions_are_followed_or_refused_by_name(self, engine: SpeechEngine):
        try:
            told = await spoken(engine.speak(self.utterance("Hello.", instructions="Whisper, please.")))
        except InvalidRequest as refusal:
            if refusal.param != "instructions":
                raise
        else:
            assert told.content != (await spoken(engine.speak(self.utterance("Hello.")))).content

    async def test_closing_early_leaves_the_engine_to_others(self, engine: SpeechEngine):
        async with aclosing(cast("Any", engine.speak(self.utterance("\n\n".join([SENTENCE] * 40))))) as events:
            async for event in events:
                if isinstance(event, SpeechAudio):
                    break
        assert (await spoken(engine.speak(self.utterance("Hello.")))).content

    async def test_two_can_ask_at_once(self, engine: SpeechEngine):
        told = await asyncio.gather(*(spoken(engine.speak(self.utterance("Hello."))) for _ in range(2)))
        assert all(one.content for one in told)
        if self.is_repeatable:
            assert len(told[0].content) == len(told[1].content)
