"""Speaking for several requests with one thread."""

import asyncio
import io
import threading
import wave
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from smalt.core.errors import InvalidRequest, UnsupportedParameter
from smalt.engines.speech_worker.serving import Speaker
from smalt.engines.speech_worker.synthesis import Voiced

RATE = 24_000


class Hum:
    """Hums a tenth of a second for every word; waits in each `speak` while it is held."""

    sample_rate = RATE

    def __init__(self) -> None:
        self.spoken: list[str] = []
        self.speeds: list[float] = []
        self.stops = 0
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.has_begun = threading.Event()

    def voice(self, name: str) -> str:
        if name != "hum":
            raise InvalidRequest(f"No voice {name}", param="voice")
        return name

    def check(self, utterance: Mapping[str, Any]) -> None:
        if utterance["instructions"]:
            raise UnsupportedParameter("instructions")

    def own_speed(self, speed: float) -> float:
        return min(speed, 2.0)

    def speak(self, text: str, voice: str, speed: float) -> Voiced:
        assert voice == "hum"
        self.has_begun.set()
        assert self.may_go_on.wait(30)
        self.spoken.append(text)
        self.speeds.append(speed)
        words = [word for word in text.split() if word.strip("\u2026.")]
        tone = np.sin(np.arange(round(len(words) * RATE / 10 / speed)) / 10)
        return Voiced(tone.astype(np.float32), len(words))

    def stop(self) -> None:
        self.stops += 1
        self.may_go_on.set()


def utterance(text: str, **changes: Any) -> dict[str, Any]:
    return {"text": text, "voice": "hum", "format": "wav", "speed": 1.0, "instructions": None, **changes}


async def said(speaker: Speaker, header: dict[str, Any]) -> tuple[bytes, dict[str, Any], int]:
    data: list[bytes] = []
    async for answer, body in speaker.speak(header, b""):
        if answer:
            return b"".join(data), dict(answer), len(data)
        data.append(body)
    raise AssertionError("no end")


def seconds(wav: bytes) -> float:
    return (len(wav) - 44) / 2 / RATE


PARAGRAPHS = "\n\n".join(f"Paragraph {number} of several words." for number in range(4))


async def test_the_pieces_make_one_file_and_the_end_counts_them():
    hum = Hum()
    data, end, pieces = await said(Speaker(hum), utterance(PARAGRAPHS))
    assert hum.spoken == PARAGRAPHS.split("\n\n")
    assert pieces >= 4
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2)
    # Twenty words and three pauses between paragraphs.
    assert end["duration"] == pytest.approx(2.0 + 3 * 0.6, abs=0.05)
    assert seconds(data) == pytest.approx(end["duration"], abs=0.01)
    assert (end["input_tokens"], end["output_tokens"]) == (20, round(end["duration"] * 20))


async def test_the_first_bytes_come_before_the_second_piece():
    hum = Hum()
    stream = Speaker(hum).speak(utterance(PARAGRAPHS), b"")
    _, first = await anext(stream)
    assert first
    assert len(hum.spoken) == 1
    await stream.aclose()
    assert len(hum.spoken) == 1


@pytest.mark.parametrize("speed", [0.25, 0.5, 1.5, 2.0, 4.0])
async def test_speed_is_the_engines_own_and_the_rest_is_made(speed: float):
    hum = Hum()
    _, slow, _ = await said(Speaker(Hum()), utterance(PARAGRAPHS))
    _, end, _ = await said(Speaker(hum), utterance(PARAGRAPHS, speed=speed))
    assert set(hum.speeds) == {min(speed, 2.0)}
    assert end["duration"] == pytest.approx(slow["duration"] / speed, rel=0.03)


@pytest.mark.parametrize("text", ["\u2026", "\U0001f600", "   ", "...\n\n..."])
async def test_a_text_with_nothing_to_say_is_a_short_silence(text: str):
    data, end, _ = await said(Speaker(Hum()), utterance(text))
    assert end["duration"] == pytest.approx(0.5)
    assert not any(data[44:])


async def test_requests_take_turns_after_every_piece():
    hum = Hum()
    speaker = Speaker(hum)
    long = "\n\n".join(f"Long text, part number {number}." for number in range(6))
    hum.may_go_on.clear()
    first = asyncio.create_task(said(speaker, utterance(long)))
    await asyncio.to_thread(hum.has_begun.wait, 30)
    second = asyncio.create_task(said(speaker, utterance("Something short.")))
    await asyncio.sleep(0)
    hum.may_go_on.set()
    await asyncio.gather(first, second)
    assert hum.spoken.index("Something short.") == 1


async def test_a_request_that_is_given_up_stops_its_piece_and_lets_the_next_go_on():
    hum = Hum()
    speaker = Speaker(hum)
    hum.may_go_on.clear()
    given_up = asyncio.create_task(said(speaker, utterance(PARAGRAPHS)))
    await asyncio.to_thread(hum.has_begun.wait, 30)
    waiting = asyncio.create_task(said(speaker, utterance("Next.")))
    await asyncio.sleep(0)
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    await waiting
    assert hum.stops == 1
    assert hum.spoken == ["Paragraph 0 of several words.", "Next."]


class Deaf(Hum):
    """Hums on when it is told to stop."""

    def stop(self) -> None:
        self.stops += 1


async def test_a_request_that_is_given_up_twice_keeps_its_turn_until_its_piece_has_ended():
    hum = Deaf()
    speaker = Speaker(hum)
    hum.may_go_on.clear()
    given_up = asyncio.create_task(said(speaker, utterance(PARAGRAPHS)))
    await asyncio.to_thread(hum.has_begun.wait, 30)
    for _ in range(2):
        given_up.cancel()
        await asyncio.sleep(0.05)
    assert not given_up.done()
    hum.may_go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    assert hum.stops == 1


@pytest.mark.parametrize(("param", "value"), [("voice", "nobody"), ("instructions", "Whisper.")])
async def test_what_cannot_be_honoured_is_refused_before_anything_is_spoken(param: str, value: str):
    hum = Hum()
    with pytest.raises(InvalidRequest) as refusal:
        await said(Speaker(hum), utterance("Hello.", **{param: value}))
    assert refusal.value.param == param
    assert hum.spoken == []
