"""The story of somebody who lets Smalt speak and listen: the unmodified `openai` package against `smalt serve`."""

import io
import wave
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from audio_serving import words_of
from recordings import sentence

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

TEXT = "The museum opens at nine. Please leave your umbrella at the door."


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
