"""The story of a question that is asked aloud, and answered aloud, by the starter models."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from audio_serving import AudioServer, serving_audio, words_of

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

QUESTION = "What is the capital of Italy? Answer in one short sentence."


@pytest.fixture(scope="module")
def server(starter_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AudioServer]:
    with serving_audio(starter_data_dir, tmp_path_factory.mktemp("voice")) as server:
        yield server


@pytest.fixture(scope="module")
def asked(server: AudioServer) -> list[dict[str, Any]]:
    """The question as a recording of somebody who asks it."""
    sound = server.sdk.audio.speech.create(model="tts-1", voice="nova", input=QUESTION, response_format="mp3").content
    recording = {"data": base64.b64encode(sound).decode(), "format": "mp3"}
    return [{"role": "user", "content": [{"type": "input_audio", "input_audio": recording}]}]


def chat(server: AudioServer, messages: Any, audio_format: str, **fields: Any) -> Any:
    audio = {"voice": "alloy", "format": audio_format}
    wanted = {"model": "gpt-4o-audio-preview", "temperature": 0, "max_tokens": 40, "modalities": ["text", "audio"]}
    return server.sdk.chat.completions.create(**wanted, audio=audio, messages=messages, **fields)


def test_a_spoken_question_is_answered_aloud(server: AudioServer, asked: list[dict[str, Any]]):
    answer = chat(server, asked, "wav")
    spoken = answer.choices[0].message.audio
    assert "rome" in spoken.transcript.lower()
    sound = base64.b64decode(spoken.data)
    heard = server.sdk.audio.transcriptions.create(model="whisper-1", file=("answer.wav", sound)).text
    assert words_of(heard) == words_of(spoken.transcript)
    assert answer.usage.prompt_tokens_details.audio_tokens > 0
    assert answer.usage.completion_tokens_details.audio_tokens > 0
    more = [*asked, {"role": "assistant", "audio": {"id": spoken.id}}, {"role": "user", "content": "Say it again."}]
    again = server.sdk.chat.completions.create(model="gpt-4o-mini", messages=more, temperature=0, max_tokens=40)
    assert "rome" in again.choices[0].message.content.lower()


def test_a_stream_is_heard_while_it_is_written(server: AudioServer, asked: list[dict[str, Any]]):
    deltas = [chunk.choices[0].delta.to_dict() for chunk in chat(server, asked, "pcm16", stream=True)]
    told = [delta["audio"] for delta in deltas if "audio" in delta]
    samples = base64.b64decode("".join(one.get("data", "") for one in told), validate=True)
    sound = (
        b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\1\0\1\0\xc0\x5d\0\0\x80\xbb\0\0\2\0\x10\0data\xff\xff\xff\xff"
        + samples
    )
    heard = server.sdk.audio.transcriptions.create(model="whisper-1", file=("answer.wav", sound)).text
    transcript = "".join(one.get("transcript", "") for one in told)
    assert "rome" in transcript.lower()
    assert words_of(heard) == words_of(transcript)
