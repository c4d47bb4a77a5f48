"""Asking a chat model by voice, and hearing its answer, over echoes that hear and speak."""

import asyncio
import base64
import io
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from serving import new_key, serving
from smalt.core.settings import AudioSettings, DeploymentSettings, Settings

SPOKEN = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}
STREAMED = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "pcm16"}, "stream": True}
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(
        data_dir=tmp_path_factory.mktemp("data"),
        starter=False,
        deployments={
            "echo": DeploymentSettings(engine="echo"),
            "silent": DeploymentSettings(engine="echo", abilities=["chat_completion"]),
            "slow": DeploymentSettings(engine="echo", options={"delay_seconds": 0.05}),
        },
        audio=AudioSettings(transcription_model="echo", speech_model="echo", upload_bytes=2**20),
    )


@pytest.fixture(scope="module")
def strange_key(settings: Settings) -> str:
    """A key of another project, made before the server looks."""
    return asyncio.run(new_key(settings.data_dir, "other"))


@pytest.fixture(scope="module")
def served(settings: Settings, strange_key: str) -> Iterator[Any]:
    with serving(settings) as served:
        yield served


@pytest.fixture(scope="module")
def client(served: Any) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key=served.key, max_retries=0) as client:
        yield client


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(content)}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def recording(client: openai.OpenAI, words: str) -> dict[str, Any]:
    """The words as a part with a recording in which an echo says them."""
    sound = client.audio.speech.create(model="echo", voice="alloy", input=words, response_format="wav").content
    return {"type": "input_audio", "input_audio": {"data": base64.b64encode(sound).decode(), "format": "wav"}}


def wav(samples: bytes) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(24_000)
        writer.writeframes(samples)
    return file.getvalue()


def heard(client: openai.OpenAI, sound: bytes) -> str:
    return client.audio.transcriptions.create(model="echo", file=("answer.wav", sound)).text


def audio_of(delta: Any) -> dict[str, Any]:
    """What a chunk adds to what is heard."""
    return delta.to_dict().get("audio", {})


def chat(client: openai.OpenAI, *messages: Any, **fields: Any) -> Any:
    return client.chat.completions.create(**{"model": "silent", "messages": messages, **fields})


def test_a_question_may_be_asked_by_voice(client: openai.OpenAI):
    answer = chat(client, user(recording(client, "Hello there, friend")))
    assert answer.choices[0].message.content == "Hello there, friend"
    details = answer.usage.prompt_tokens_details
    assert details.audio_tokens > 0
    assert answer.usage.prompt_tokens == details.audio_tokens + 3
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 3


def test_a_recording_beside_a_text_is_told_as_one(client: openai.OpenAI):
    answer = chat(client, user(text("What is said here? "), recording(client, "A bell rings.")))
    assert answer.choices[0].message.content == 'What is said here? Transcript of the recording: "A bell rings."'


def test_several_recordings_are_heard_in_their_order(client: openai.OpenAI):
    first, second = recording(client, "One, "), recording(client, "two.")
    assert chat(client, user(first, second)).choices[0].message.content == "One,two."


@pytest.mark.parametrize(
    ("sound", "field", "message"),
    [
        ({"data": "?" * 8, "format": "wav"}, "data", "base64"),
        ({"data": "", "format": "wav"}, "data", "not of valid wav format"),
        ({"data": base64.b64encode(b"no sound " * 9).decode(), "format": "mp3"}, "data", "not of valid mp3 format"),
        ({"data": "UklGRg==", "format": "ogg"}, "format", "'wav'"),
    ],
)
def test_a_bad_recording_is_refused_by_its_place(client: openai.OpenAI, sound: Any, field: str, message: str):
    with pytest.raises(openai.BadRequestError, match=message) as refusal:
        chat(client, user(text("Listen: "), {"type": "input_audio", "input_audio": sound}))
    assert refusal.value.param == f"messages[0].content[1].input_audio.{field}"


def test_a_recording_that_is_too_large_is_413(client: openai.OpenAI):
    sound = {"data": base64.b64encode(bytes(2**20 + 1)).decode(), "format": "wav"}
    with pytest.raises(openai.APIStatusError, match="1048577 bytes") as refusal:
        chat(client, user({"type": "input_audio", "input_audio": sound}))
    assert refusal.value.status_code == 413


def test_responses_hear_too(client: openai.OpenAI):
    sound = recording(client, "Hello there, friend")["input_audio"]
    asked: Any = [{"role": "user", "content": [{"type": "input_audio", "input_audio": sound}]}]
    answer = client.responses.create(model="silent", input=asked)
    assert answer.output_text == "Hello there, friend"
    again = client.responses.create(model="silent", input="And now?", previous_response_id=answer.id)
    assert again.output_text == "And now?"


def test_responses_refuse_a_bad_recording(client: openai.OpenAI):
    sound = {"data": base64.b64encode(b"no sound").decode(), "format": "wav"}
    asked: Any = [{"role": "user", "content": [{"type": "input_audio", "input_audio": sound}]}]
    with pytest.raises(openai.BadRequestError, match="not of valid wav format") as refusal:
        client.responses.create(model="silent", input=asked)
    assert refusal.value.param == "input"


@pytest.mark.parametrize("sound_format", ["wav", "mp3", "flac", "opus", "aac", "pcm16"])
def test_an_answer_may_be_spoken(client: openai.OpenAI, sound_format: str):
    audio = {"voice": "alloy", "format": sound_format}
    answer = chat(client, user(text("Hello there. And you?")), modalities=["text", "audio"], audio=audio)
    message = answer.choices[0].message
    assert message.content is None
    assert message.audio.transcript == "Hello there. And you?"
    assert message.audio.id.startswith("audio_")
    assert message.audio.expires_at == pytest.approx(answer.created + 3600, abs=60)
    sound = base64.b64decode(message.audio.data, validate=True)
    assert heard(client, wav(sound) if sound_format == "pcm16" else sound) == "Hello there. And you?"
    usage = answer.usage
    assert usage.completion_tokens_details.audio_tokens > 0
    assert usage.completion_tokens == usage.completion_tokens_details.audio_tokens + 4


def test_a_streamed_answer_is_spoken_sentence_by_sentence(client: openai.OpenAI):
    said = "Hello there, friend. How are you today?\nThe sea is calm."
    chunks = list(chat(client, user(text(said)), model="slow", stream_options={"include_usage": True}, **STREAMED))
    *pieces, usage = chunks
    deltas = [chunk.choices[0].delta for chunk in pieces]
    told = [audio_of(delta) for delta in deltas if audio_of(delta)]
    assert deltas[0].role == "assistant"
    assert not any(delta.content for delta in deltas)
    assert [one["id"] for one in told if "id" in one] == [told[0]["id"]]
    assert "".join(one.get("transcript", "") for one in told) == said
    sounds = [one["data"] for one in told if "data" in one]
    spoken = heard(client, wav(base64.b64decode("".join(sounds), validate=True)))
    assert "".join(spoken.split()) == "".join(said.split())
    assert list(told[-1]) == ["expires_at"]
    assert pieces[-1].choices[0].finish_reason == "stop"
    first_sound = next(place for place, one in enumerate(told) if "data" in one)
    assert any("transcript" in one for one in told[first_sound:]), "the sound came only after all of the text"
    assert usage.usage.completion_tokens_details.audio_tokens > 0


def test_an_earlier_answer_is_named_by_its_id(client: openai.OpenAI):
    spoken = chat(client, user(text("The sea is calm.")), **SPOKEN).choices[0].message.audio
    earlier = {"role": "assistant", "audio": {"id": spoken.id}}
    answer = chat(client, user(text("Hi")), earlier, user(text("Again?")), model="echo")
    assert answer.choices[0].message.content == "Again?"
    assert answer.usage.prompt_tokens == 6


def test_another_project_does_not_hear_it(client: openai.OpenAI, served: Any, strange_key: str):
    spoken = chat(client, user(text("A secret.")), **SPOKEN).choices[0].message.audio
    earlier = {"role": "assistant", "audio": {"id": spoken.id}}
    stranger = openai.OpenAI(base_url=f"{served.url}/v1", api_key=strange_key, max_retries=0)
    with stranger, pytest.raises(openai.NotFoundError, match=spoken.id) as refusal:
        chat(stranger, user(text("Hi")), earlier, user(text("Again?")))
    assert refusal.value.param == "messages[1].audio.id"


def test_an_answer_that_is_a_call_has_no_sound(client: openai.OpenAI):
    asked = {"tools": [WEATHER], "tool_choice": "required"}
    message = chat(client, user(text("Rain?")), **asked, **SPOKEN).choices[0].message
    assert message.tool_calls[0].function.name == "get_weather"
    assert (message.content, message.audio) == (None, None)
    chunks = list(chat(client, user(text("Rain?")), **asked, **STREAMED))
    assert not any(audio_of(chunk.choices[0].delta) for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_every_choice_is_spoken(client: openai.OpenAI):
    answer = chat(client, user(text("Good day.")), n=2, **SPOKEN)
    voices = [choice.message.audio for choice in answer.choices]
    assert [voice.transcript for voice in voices] == ["Good day."] * 2
    assert len({voice.id for voice in voices}) == 2
    assert [heard(client, base64.b64decode(voice.data)) for voice in voices] == ["Good day."] * 2


def test_a_kept_completion_has_the_words_of_its_sound(client: openai.OpenAI):
    made = chat(client, user(text("Keep this.")), store=True, **SPOKEN)
    kept = client.chat.completions.retrieve(made.id).choices[0].message.audio
    assert kept is not None
    assert (kept.id, kept.transcript, kept.data) == (made.choices[0].message.audio.id, "Keep this.", "")


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"modalities": ["audio"], "audio": SPOKEN["audio"]}, "modalities", "Supported combinations are"),
        ({"modalities": []}, "modalities", "Supported combinations are"),
        ({"modalities": ["text", "audio"]}, "audio", "Missing required parameter: 'audio'"),
        ({"audio": SPOKEN["audio"]}, "audio", "only allowed"),
        ({**SPOKEN, "stream": True}, "audio.format", "does not support 'wav' when stream=true"),
        ({**SPOKEN, "audio": {"format": "wav"}}, "audio.voice", "Missing required parameter: 'audio.voice'"),
        ({**SPOKEN, "audio": {"voice": "alloy", "format": "ogg"}}, "audio.format", "ogg"),
        ({**SPOKEN, "audio": {"voice": "nobody", "format": "wav"}}, "audio.voice", "alloy"),
        ({**STREAMED, "audio": {"voice": "nobody", "format": "pcm16"}}, "audio.voice", "alloy"),
    ],
)
def test_what_cannot_be_spoken_is_refused(client: openai.OpenAI, fields: dict[str, Any], param: str, message: str):
    with pytest.raises(openai.BadRequestError, match=message) as refusal:
        chat(client, user(text("Hello.")), **fields)
    assert refusal.value.param == param


def test_without_a_speech_model_nothing_is_spoken(tmp_path: Path):
    deployments = {"silent": DeploymentSettings(engine="echo", abilities=["chat_completion"])}
    with serving(Settings(data_dir=tmp_path, starter=False, deployments=deployments)) as served:
        client = openai.OpenAI(base_url=f"{served.url}/v1", api_key=served.key, max_retries=0)
        with pytest.raises(openai.BadRequestError, match=r"set audio\.speech_model") as refusal:
            chat(client, user(text("Hello.")), **SPOKEN)
        assert refusal.value.param == "modalities"
        sound = {"data": "UklGRg==", "format": "wav"}
        with pytest.raises(openai.BadRequestError, match=r"set audio\.transcription_model") as refusal:
            chat(client, user({"type": "input_audio", "input_audio": sound}))
        assert refusal.value.param == "messages[0].content[0].input_audio"
        client.close()


def test_the_sdk_puts_a_streamed_answer_together(client: openai.OpenAI):
    asked: Any = {name: value for name, value in STREAMED.items() if name != "stream"}
    with client.chat.completions.stream(
        model="slow", messages=[user(text("Hello there. And you?"))], **asked
    ) as stream:
        stream.until_done()
        audio = stream.get_final_completion().choices[0].message.to_dict()["audio"]
    assert audio["transcript"] == "Hello there. And you?"
    assert len(audio["id"]) == len("audio_") + 32
    assert "".join(heard(client, wav(base64.b64decode(audio["data"]))).split()) == "Hellothere.Andyou?"
