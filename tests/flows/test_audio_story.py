"""The story of somebody who lets Smalt speak and listen: the unmodified `openai` package against `smalt serve`."""

import base64
import io
import wave
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from audio_serving import words_of
from recordings import sentence

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

QUESTION = "What is the capital of Italy? Answer in one short sentence."
TEXT = "The museum opens at nine."


@pytest.fixture(scope="module")
def sdk(starter_server: Any) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{starter_server.url}/v1", api_key=starter_server.key) as made:
        yield made


@pytest.fixture(scope="module")
def azure(starter_server: Any) -> Iterator[openai.AzureOpenAI]:
    url, key = starter_server.url, starter_server.key
    with openai.AzureOpenAI(azure_endpoint=url, api_version="2024-10-21", api_key=key) as made:
        yield made


def test_what_was_spoken_is_heard_again(sdk: openai.OpenAI, azure: openai.AzureOpenAI) -> None:
    spoken = azure.audio.speech.create(model="tts-1", voice="nova", input=TEXT)
    assert spoken.response.headers["content-type"] == "audio/mpeg"
    heard = sdk.audio.transcriptions.create(model="whisper-1", file=("speech.mp3", spoken.content))
    assert words_of(heard.text) == words_of(TEXT)


def test_sound_comes_while_it_is_made(sdk: openai.OpenAI) -> None:
    with sdk.audio.speech.with_streaming_response.create(
        model="tts-1", voice="onyx", input="Good morning. Mind the step.", response_format="wav"
    ) as answer:
        chunks = list(answer.iter_bytes())
    assert len(chunks) > 1
    with wave.open(io.BytesIO(b"".join(chunks))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 24_000)


def test_words_come_while_they_are_heard_and_are_those_of_the_whole_answer(sdk: openai.OpenAI) -> None:
    clip = sentence("0870")
    whole = sdk.audio.transcriptions.create(model="whisper-1", file=(clip.filename, clip.content))
    assert words_of(whole.text) == words_of(clip.text)
    events = list(sdk.audio.transcriptions.create(model="whisper-1", file=(clip.filename, clip.content), stream=True))
    assert "".join(event.delta for event in events if event.type == "transcript.text.delta") == whole.text
    assert events[-1].type == "transcript.text.done"
    assert events[-1].text == whole.text


def test_an_unknown_voice_is_refused_with_the_names_of_those_there_are(sdk: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        sdk.audio.speech.create(model="tts-1", voice="nobody", input=TEXT)
    assert refused.value.param == "voice"
    assert "alloy" in refused.value.message


@pytest.fixture(scope="module")
def asked(sdk: openai.OpenAI) -> list[dict[str, Any]]:
    """The question as a recording of somebody who asks it."""
    sound = sdk.audio.speech.create(model="tts-1", voice="nova", input=QUESTION, response_format="mp3").content
    recording = {"data": base64.b64encode(sound).decode(), "format": "mp3"}
    return [{"role": "user", "content": [{"type": "input_audio", "input_audio": recording}]}]


def chat(sdk: openai.OpenAI, messages: Any, audio_format: str, **fields: Any) -> Any:
    audio = {"voice": "alloy", "format": audio_format}
    wanted = {"model": "gpt-4o-audio-preview", "temperature": 0, "max_tokens": 40, "modalities": ["text", "audio"]}
    return sdk.chat.completions.create(**wanted, audio=audio, messages=messages, **fields)


def test_a_spoken_question_is_answered_aloud(sdk: openai.OpenAI, asked: list[dict[str, Any]]):
    answer = chat(sdk, asked, "wav")
    spoken = answer.choices[0].message.audio
    assert "rome" in spoken.transcript.lower()
    sound = base64.b64decode(spoken.data)
    heard = sdk.audio.transcriptions.create(model="whisper-1", file=("answer.wav", sound)).text
    assert words_of(heard) == words_of(spoken.transcript)
    assert answer.usage.prompt_tokens_details.audio_tokens > 0
    assert answer.usage.completion_tokens_details.audio_tokens > 0
    more = [*asked, {"role": "assistant", "audio": {"id": spoken.id}}, {"role": "user", "content": "Say it again."}]
    again = sdk.chat.completions.create(model="gpt-4o-mini", messages=more, temperature=0, max_tokens=40)
    assert "rome" in again.choices[0].message.content.lower()


def test_a_stream_is_heard_while_it_is_written(sdk: openai.OpenAI, asked: list[dict[str, Any]]):
    deltas = [chunk.choices[0].delta.to_dict() for chunk in chat(sdk, asked, "pcm16", stream=True)]
    told = [delta["audio"] for delta in deltas if "audio" in delta]
    samples = base64.b64decode("".join(one.get("data", "") for one in told), validate=True)
    sound = (
        b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\1\0\1\0\xc0\x5d\0\0\x80\xbb\0\0\2\0\x10\0data\xff\xff\xff\xff"
        + samples
    )
    heard = sdk.audio.transcriptions.create(model="whisper-1", file=("answer.wav", sound)).text
    transcript = "".join(one.get("transcript", "") for one in told)
    assert "rome" in transcript.lower()
    assert words_of(heard) == words_of(transcript)
