"""An echo hears what an echo said, in every format, without a codec."""

import io
import struct
import wave
from typing import Any, get_args

import pytest

from smalt.core.errors import EngineFailed, InvalidRequest
from smalt.engines.audio import (
    AudioFormat,
    Recording,
    SpeechAudio,
    SpeechEnd,
    TranscriptEnd,
    TranscriptSegment,
    Utterance,
)
from smalt.engines.echo import EchoEngine, marks
from smalt.engines.protocols import Deployment
from sounds import hum, samples_of, silence, wav

TEXT = "  Grüße an alle!  The ship\nwent out to sea 🙂. Antidisestablishmentarianism?"
FORMATS: tuple[AudioFormat, ...] = get_args(AudioFormat)
FILES: tuple[AudioFormat, ...] = ("mp3", "opus", "aac", "flac", "wav")


def engine(**options: Any) -> EchoEngine:
    return EchoEngine(Deployment("echo", "echo", "echo", frozenset(), options=options))


async def speak(text: str = TEXT, audio_format: AudioFormat = "wav", **fields: Any) -> tuple[bytes, SpeechEnd]:
    events = [event async for event in engine().speak(Utterance(text, "alloy", audio_format, **fields))]
    assert isinstance(events[-1], SpeechEnd)
    return b"".join(event.data for event in events if isinstance(event, SpeechAudio)), events[-1]


async def hear(
    content: bytes, *, options: dict[str, Any] | None = None, **fields: Any
) -> tuple[list[TranscriptSegment], TranscriptEnd]:
    events = [event async for event in engine(**options or {}).transcribe(Recording(content, "f", **fields))]
    assert isinstance(events[-1], TranscriptEnd)
    return [event for event in events if isinstance(event, TranscriptSegment)], events[-1]


async def text_of(content: bytes, **fields: Any) -> str:
    return "".join(segment.text for segment in (await hear(content, **fields))[0])


@pytest.mark.parametrize("audio_format", FILES)
async def test_it_hears_its_own_words_and_how_long_they_took(audio_format: AudioFormat):
    content, said = await speak(audio_format=audio_format)
    segments, end = await hear(content)
    assert "".join(segment.text for segment in segments) == f" {TEXT.strip()}"
    assert end.duration == pytest.approx(said.duration, abs=0.001)


@pytest.mark.parametrize("audio_format", FILES)
async def test_its_files_are_real_ones(audio_format: AudioFormat):
    content, said = await speak(audio_format=audio_format)
    sound = samples_of(content)
    assert len(sound) / 16_000 == pytest.approx(said.duration, abs=0.05)
    assert (abs(sound).max() > 0.1) == (audio_format == "wav")


@pytest.mark.parametrize("audio_format", FORMATS)
async def test_it_always_says_a_text_in_the_same_way(audio_format: AudioFormat):
    assert (await speak(audio_format=audio_format))[0] == (await speak(audio_format=audio_format))[0]


async def test_bare_samples_are_heard_in_any_file_they_are_put_in():
    one, _ = await speak("First this.", "pcm")
    other, _ = await speak(" Then that.", "pcm")
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setparams((1, 2, 24_000, 0, "NONE", ""))
        file.writeframes(bytes(300) + one + bytes(300) + other)
    assert await text_of(target.getvalue()) == " First this. Then that."


async def test_files_that_follow_one_another_are_heard_together():
    one, _ = await speak("First this.", "mp3")
    other, _ = await speak("Then that.", "mp3")
    assert await text_of(one + other) == " First this. Then that."


async def test_the_longest_texts_fit_into_every_format():
    for audio_format in FILES:
        content, _ = await speak("🙂" * 4096, audio_format, speed=4.0)
        assert await text_of(content) == " " + "🙂" * 4096


async def test_voice_instructions_and_speed_change_the_sound():
    plain, end = await speak(audio_format="pcm")
    events = [event async for event in engine().speak(Utterance(TEXT, "onyx", "pcm"))]
    assert plain != b"".join(event.data for event in events if isinstance(event, SpeechAudio))
    assert plain != (await speak(audio_format="pcm", instructions="Softly."))[0]
    faster, sooner = await speak(audio_format="pcm", speed=3.0)
    assert len(plain) / len(faster) == pytest.approx(3, rel=0.01)
    assert sooner.duration == pytest.approx(end.duration / 3, rel=0.01)
    assert len(plain) == 48_000 * end.duration


async def test_another_recording_has_words_for_its_seconds():
    content = wav(hum(3.0))
    segments, end = await hear(content)
    assert len("".join(segment.text for segment in segments).split()) == 3
    assert (segments, end) == await hear(content)
    assert end.duration == 3.0
    assert await text_of(content) != await text_of(wav(hum(3.0, hertz=60)))


async def test_in_silence_nobody_speaks():
    assert await hear(wav(silence(1.5))) == ([], TranscriptEnd("english", 1.5, audio_tokens=75))


async def test_a_compressed_file_is_taken_for_its_size():
    segments, end = await hear(b"ID3\x03\x00" + bytes(31_995))
    assert end.duration == 2.0
    assert segments


async def test_a_recording_that_is_too_long_is_refused():
    header = wav(silence(0))[:24] + struct.pack("<IIHH", 1, 1, 1, 8) + b"data" + struct.pack("<I", 2**20)
    long = [
        header + bytes(2**20),
        header + b"\x01" * 2**20,
        (await speak("A word. " * 99, "mp3"))[0],
        b"ID3" + bytes(2**20),
    ]
    for content in long:
        with pytest.raises(InvalidRequest, match="longer than") as refusal:
            await hear(content, max_hours=0.01)
        assert refusal.value.param == "file"


async def test_times_words_and_probabilities_agree():
    content, said = await speak("One two three. Four five six seven eight.")
    segments, end = await hear(content, with_words=True, with_logprobs=True, temperature=0.4)
    assert [segment.text for segment in segments] == [" One two three.", " Four five six seven eight."]
    assert segments[0].start == 0
    assert segments[0].end == segments[1].start
    assert segments[-1].end == pytest.approx(said.duration, abs=0.01)
    for segment in segments:
        assert "".join(word.word for word in segment.words) == segment.text
        assert "".join(entry.token for entry in segment.logprobs) == segment.text
        assert (segment.words[0].start, segment.words[-1].end) == (segment.start, segment.end)
        assert segment.seek == round(100 * segment.start)
        assert segment.temperature == 0.4
        assert len(segment.tokens) == len(segment.words)
    assert end.completion_tokens == 8


async def test_speakers_take_turns():
    content, _ = await speak("Yes. No. Yes.")
    assert [segment.speaker for segment in (await hear(content, with_speakers=True))[0]] == ["A", "B", "A"]


async def test_what_is_asked_for_is_in_the_end():
    content, _ = await speak("Oui.")
    _, end = await hear(content, language="fr", prompt="two words")
    assert (end.language, end.prompt_tokens, end.audio_tokens) == ("french", 2, round(50 * end.duration))


async def test_options_change_what_is_heard():
    content, _ = await speak("One two.")
    segments, _ = await hear(content, options={"tokens": 5})
    assert "".join(segment.text for segment in segments).split() == ["One", "two.", "One", "two.", "One"]
    with pytest.raises(EngineFailed, match="fail_after"):
        await hear(content, options={"fail_after": 0})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        b"RIFF",
        b"RIFF\x00\x00\x00\x00WAVE",
        b"RIFF\x00\x00\x00\x00AVI fmt ",
        struct.pack("<4sI4s4sI", b"RIFF", 0, b"WAVE", b"fmt ", 16) + bytes(16) + b"data\x04\x00\x00\x00abcd",
        b"\x89PNG\r\n\x1a\n" + bytes(100),
    ],
)
async def test_what_is_no_sound_is_refused(content: bytes):
    with pytest.raises(InvalidRequest, match="Invalid file format") as refusal:
        await hear(content)
    assert refusal.value.param == "file"


async def test_a_damaged_tag_is_no_tag():
    content, _ = await speak(audio_format="mp3")
    segments, _ = await hear(content.replace(marks.tag(TEXT, 0)[-20:], b"=" * 19 + b";"))
    assert TEXT.strip() not in "".join(segment.text for segment in segments)


async def test_a_tag_of_endless_time_is_no_tag():
    segments, end = await hear(b"ID3\x03\x00smalt-echo:" + b"9" * 5000 + b":;")
    assert segments
    assert end.duration < 1


async def test_a_stranger_s_voice_is_refused():
    with pytest.raises(InvalidRequest, match="'alloy', 'ash'") as refusal:
        await engine().speak(Utterance("Hello", "joe")).__anext__()
    assert refusal.value.param == "voice"
