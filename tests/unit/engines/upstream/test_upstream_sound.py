"""What goes to an upstream that hears and speaks, and how its answers are read."""

import json
from base64 import b64encode
from typing import Any

import pytest
from aiohttp import web

from smalt.core.errors import InvalidRequest, TooLarge, UpstreamFailed
from smalt.engines.audio import (
    KnownSpeaker,
    Recording,
    SpeechAudio,
    SpeechEnd,
    SpokenWord,
    TranscriptEnd,
    TranscriptSegment,
    Utterance,
    VoiceActivity,
)
from smalt.engines.protocols import TokenLogprob

DONE = b"data: [DONE]\n\n"
SEGMENTS: list[dict[str, Any]] = [
    {
        "id": 0,
        "seek": 0,
        "start": 0.0,
        "end": 1.5,
        "text": " Hello there.",
        "tokens": [50364, 2425],
        "temperature": 0.2,
        "avg_logprob": -0.3,
        "compression_ratio": 0.9,
        "no_speech_prob": 0.01,
    },
    {"id": 1, "seek": 150, "start": 1.5, "end": 3.0, "text": " Bye."},
]
WORDS = [
    {"word": "Hello", "start": 0.1, "end": 0.6},
    {"word": "there", "start": 0.7, "end": 1.4},
    {"word": "Bye", "start": 1.6, "end": 3.0},
]
VERBOSE = {
    "task": "transcribe",
    "language": "english",
    "duration": 3.0,
    "text": "Hello there. Bye.",
    "segments": SEGMENTS,
    "usage": {"type": "duration", "seconds": 3},
}
USAGE = {
    "type": "tokens",
    "input_tokens": 33,
    "input_token_details": {"text_tokens": 3, "audio_tokens": 30},
    "output_tokens": 5,
    "total_tokens": 38,
}
LOGPROBS = [{"token": "Hi", "logprob": -0.5, "bytes": [72, 105]}]
CHOSEN = (TokenLogprob("Hi", -0.5, (72, 105)),)


def answering(content: Any, *, kind: str = "application/json", status: int = 200) -> Any:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()

    async def answer(request: web.Request) -> web.StreamResponse:
        del request
        return web.Response(body=body, status=status, content_type=kind)

    return answer


def streaming(*events: dict[str, Any], end: bytes = DONE) -> Any:
    sent = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    return answering(sent + end, kind="text/event-stream")


def recording(**fields: Any) -> Recording:
    return Recording(b"sound", 'my "clip".mp3', **fields)


async def heard(engine: Any, **fields: Any) -> tuple[list[TranscriptSegment], TranscriptEnd]:
    events = [event async for event in engine.transcribe(recording(**fields))]
    assert isinstance(events[-1], TranscriptEnd)
    return events[:-1], events[-1]


async def spoken(engine: Any, **fields: Any) -> tuple[bytes, SpeechEnd]:
    events = [event async for event in engine.speak(Utterance("Hello there", "nova", **fields))]
    assert isinstance(events[-1], SpeechEnd)
    return b"".join(event.data for event in events if isinstance(event, SpeechAudio)), events[-1]


async def test_times_are_asked_for_in_the_one_format_that_has_them(stub: Any, open_engine: Any):
    stub.handlers = [answering(VERBOSE)]
    segments, end = await heard(open_engine())
    assert stub.requests[0].path == "/v1/audio/transcriptions"
    assert stub.requests[0].headers["Authorization"] == "Bearer sk-very-secret-key"
    assert stub.bodies == [
        [("model", "their-name"), ("response_format", "verbose_json"), ("file", ("my %22clip%22.mp3", b"sound"))]
    ]
    assert segments == [
        TranscriptSegment(" Hello there.", 0.0, 1.5, 0, (50364, 2425), 0.2, -0.3, 0.9, 0.01),
        TranscriptSegment(" Bye.", 1.5, 3.0, 150),
    ]
    assert end == TranscriptEnd("english", 3.0)


async def test_every_wish_is_passed_on(stub: Any, open_engine: Any):
    stub.handlers = [answering(VERBOSE)]
    activity = VoiceActivity(threshold=0.4, prefix_padding_ms=100, silence_duration_ms=500)
    wishes = {"language": "en", "prompt": "Names: Zoë", "temperature": 0.3, "with_words": True}
    await heard(open_engine(), voice_activity=activity, **wishes)
    assert stub.bodies[0][1:-1] == [
        ("response_format", "verbose_json"),
        ("language", "en"),
        ("prompt", "Names: Zoë"),
        ("temperature", "0.3"),
        ("timestamp_granularities[]", "segment"),
        ("timestamp_granularities[]", "word"),
        ("chunking_strategy[type]", "server_vad"),
        ("chunking_strategy[threshold]", "0.4"),
        ("chunking_strategy[prefix_padding_ms]", "100"),
        ("chunking_strategy[silence_duration_ms]", "500"),
    ]


async def test_an_automatic_strategy_is_asked_for_by_its_name(stub: Any, open_engine: Any):
    stub.handlers = [answering(VERBOSE)]
    await heard(open_engine(), voice_activity=VoiceActivity())
    assert ("chunking_strategy", "auto") in stub.bodies[0]


async def test_words_go_to_the_segments_they_begin_in(stub: Any, open_engine: Any):
    stub.handlers = [answering({**VERBOSE, "words": WORDS})]
    segments, _ = await heard(open_engine(), with_words=True)
    assert [[word.word for word in segment.words] for segment in segments] == [["Hello", "there"], ["Bye"]]
    assert segments[1].words == (SpokenWord("Bye", 1.6, 3.0),)


async def test_segments_without_their_spaces_get_them_back(stub: Any, open_engine: Any):
    bare = [{**segment, "text": segment["text"].strip()} for segment in SEGMENTS]
    stub.handlers = [answering({**VERBOSE, "segments": bare})]
    segments, _ = await heard(open_engine())
    assert "".join(segment.text for segment in segments) == " Hello there. Bye."


async def test_a_translation_has_an_address_of_its_own(stub: Any, open_engine: Any):
    stub.handlers = [answering({**VERBOSE, "task": "translate"})]
    await heard(open_engine(), task="translate")
    assert stub.requests[0].path == "/v1/audio/translations"


async def test_text_alone_is_asked_for_as_json(stub: Any, open_engine: Any):
    stub.handlers = [answering({"text": "Hi", "logprobs": LOGPROBS, "usage": USAGE})]
    segments, end = await heard(open_engine(), with_times=False, with_logprobs=True)
    assert ("response_format", "json") in stub.bodies[0]
    assert ("include[]", "logprobs") in stub.bodies[0]
    assert segments == [TranscriptSegment(" Hi", 0.0, 0.0, logprobs=CHOSEN)]
    assert end == TranscriptEnd("", 0.0, audio_tokens=30, prompt_tokens=3, completion_tokens=5)


async def test_a_stream_is_read_as_it_comes(stub: Any, open_engine: Any):
    deltas = [
        {"type": "transcript.text.delta", "delta": "Hi", "logprobs": LOGPROBS},
        {"type": "transcript.text.delta", "delta": " you"},
    ]
    done = {"type": "transcript.text.done", "text": "Hi you", "usage": USAGE}
    stub.handlers = [streaming(*deltas, done)]
    segments, end = await heard(open_engine(), with_times=False, stream=True)
    assert ("stream", "true") in stub.bodies[0]
    assert [segment.text for segment in segments] == ["Hi", " you"]
    assert segments[0].logprobs == CHOSEN
    assert end.completion_tokens == 5


async def test_a_model_that_does_not_stream_answers_whole(stub: Any, open_engine: Any):
    stub.handlers = [answering({"text": "Hi you"})]
    segments, _ = await heard(open_engine(), with_times=False, stream=True)
    assert [segment.text for segment in segments] == [" Hi you"]


async def test_a_stream_of_chat_s_chunks_is_read_too(stub: Any, open_engine: Any):
    chunks = [{"object": "transcription.chunk", "choices": [{"delta": {"content": said}}]} for said in (" Hi", " you")]
    stub.handlers = [streaming(*chunks, {"object": "transcription.chunk", "choices": [{"delta": {}}]})]
    segments, _ = await heard(open_engine(), with_times=False, stream=True)
    assert [segment.text for segment in segments] == [" Hi", " you"]


@pytest.mark.parametrize("stream", [False, True])
async def test_speakers_come_with_their_segments(stub: Any, open_engine: Any, *, stream: bool):
    told = [
        {"type": "transcript.text.segment", "id": f"seg_{n}", "start": n, "end": n + 1, "text": text, "speaker": who}
        for n, (text, who) in enumerate([("Hi", "A"), ("you", "B")])
    ]
    if stream:
        done = {"type": "transcript.text.done", "text": "Hi you"}
        stub.handlers = [streaming({"type": "transcript.text.delta", "delta": "Hi"}, *told, done)]
    else:
        stub.handlers = [answering({"text": "Hi you", "duration": 2.0, "segments": told})]
    known = (KnownSpeaker("Ada", "data:audio/wav;base64,UklG"), KnownSpeaker("Bo", "data:audio/wav;base64,UkL="))
    segments, end = await heard(open_engine(), with_speakers=True, known_speakers=known, stream=stream)
    assert ("response_format", "diarized_json") in stub.bodies[0]
    assert [field for field in stub.bodies[0] if field[0].startswith("known_speaker")] == [
        ("known_speaker_names[]", "Ada"),
        ("known_speaker_references[]", "data:audio/wav;base64,UklG"),
        ("known_speaker_names[]", "Bo"),
        ("known_speaker_references[]", "data:audio/wav;base64,UkL="),
    ]
    assert [(segment.text, segment.speaker) for segment in segments] == [(" Hi", "A"), (" you", "B")]
    assert end.duration == 2.0


async def test_silence_has_no_segments(stub: Any, open_engine: Any):
    stub.handlers = [answering({**VERBOSE, "text": "", "segments": []})]
    assert (await heard(open_engine()))[0] == []


async def test_a_broken_transcript_is_a_failure(stub: Any, open_engine: Any):
    delta = {"type": "transcript.text.delta", "delta": "Hi"}
    stub.handlers = [streaming(delta, end=b"")]
    with pytest.raises(UpstreamFailed, match="before it was complete"):
        await heard(open_engine(), stream=True, with_times=False)
    stub.handlers = [answering({**VERBOSE, "segments": [{"text": "Hi"}]})]
    with pytest.raises(UpstreamFailed, match="shape"):
        await heard(open_engine())
    for wrong in ({"usage": [3]}, {"duration": "long"}, {"usage": {"input_token_details": 5}}):
        stub.handlers = [answering({**VERBOSE, **wrong})]
        with pytest.raises(UpstreamFailed, match="shape"):
            await heard(open_engine())
    stub.handlers = [streaming(delta, {"error": {"message": "out of luck"}})]
    with pytest.raises(UpstreamFailed, match="out of luck"):
        await heard(open_engine(), stream=True, with_times=False)


async def test_the_upstream_s_refusals_are_passed_on(stub: Any, open_engine: Any):
    fault = {"message": "Invalid file format.", "type": "invalid_request_error", "param": "file", "code": None}
    stub.handlers = [answering({"error": fault}, status=400)]
    with pytest.raises(InvalidRequest, match="Invalid file format") as refusal:
        await heard(open_engine())
    assert refusal.value.param == "file"
    stub.handlers = [answering({"error": {"message": "413: too much"}}, status=413)]
    with pytest.raises(TooLarge):
        await heard(open_engine())


async def test_a_recording_is_sent_again_when_the_upstream_was_busy(stub: Any, open_engine: Any):
    stub.handlers = [answering({}, status=503), answering(VERBOSE)]
    assert (await heard(open_engine()))[0]
    assert [dict(body)["file"] for body in stub.bodies] == [("my %22clip%22.mp3", b"sound")] * 2


async def test_speech_is_asked_for_as_a_file_and_passed_on(stub: Any, open_engine: Any):
    stub.handlers = [answering(b"ID3" + bytes(100_000), kind="audio/mpeg")]
    content, end = await spoken(open_engine())
    assert stub.requests[0].path == "/v1/audio/speech"
    assert stub.bodies == [{"model": "their-name", "input": "Hello there", "voice": "nova", "response_format": "mp3"}]
    assert content == b"ID3" + bytes(100_000)
    assert end == SpeechEnd(3, 0, 0.0)


async def test_speed_and_instructions_are_passed_on(stub: Any, open_engine: Any):
    stub.handlers = [answering(b"OggS", kind="audio/opus")]
    await spoken(open_engine(), format="opus", speed=1.5, instructions="Softly.")
    asked = stub.bodies[0]
    assert (asked["response_format"], asked["speed"], asked["instructions"]) == ("opus", 1.5, "Softly.")


async def test_speech_in_events_ends_with_the_usage(stub: Any, open_engine: Any):
    deltas = [{"type": "speech.audio.delta", "audio": b64encode(data).decode()} for data in (b"ID3", b"more")]
    usage = {"input_tokens": 4, "output_tokens": 40, "total_tokens": 44}
    stub.handlers = [streaming(*deltas, {"type": "speech.audio.done", "usage": usage})]
    assert await spoken(open_engine(speech_events=True)) == (b"ID3more", SpeechEnd(4, 40, 0.0))
    assert stub.bodies[0]["stream_format"] == "sse"


async def test_speech_that_is_none_is_a_failure(stub: Any, open_engine: Any):
    stub.handlers = [answering({"audio": "here?"})]
    with pytest.raises(UpstreamFailed, match="not with the file"):
        await spoken(open_engine())
    stub.handlers = [streaming({"type": "speech.audio.delta", "audio": "SUQz"})]
    with pytest.raises(UpstreamFailed, match="before it was complete"):
        await spoken(open_engine(speech_events=True))
    stub.handlers = [streaming({"type": "speech.audio.delta", "sound": "SUQz"})]
    with pytest.raises(UpstreamFailed, match="shape"):
        await spoken(open_engine(speech_events=True))


async def test_a_voice_that_the_upstream_lacks_is_refused_in_its_words(stub: Any, open_engine: Any):
    fault = {"message": "There are alloy and nova.", "type": "invalid_request_error", "param": "voice", "code": None}
    stub.handlers = [answering({"error": fault}, status=400)]
    with pytest.raises(InvalidRequest, match="alloy and nova") as refusal:
        await spoken(open_engine())
    assert refusal.value.param == "voice"


def test_an_upstream_hears_only_if_its_option_says_so(open_engine: Any):
    assert not open_engine().hears
    assert open_engine(hears=True).hears
