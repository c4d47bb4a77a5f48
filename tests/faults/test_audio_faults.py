"""Recordings that are none, that are cut short, too large or hours long; clients that go away, workers that die."""

import io
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openai
import psutil
import pytest

from audio_serving import AudioServer, heard, is_idle_soon, serving_audio, words_of
from recordings import Clip, sentence, sonnet
from sounds import encoded, film, long_silence, noise, samples_of, silence, wav

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

LIMIT = 25 * 2**20
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360000002000001e221bc33"
    "0000000049454e44ae426082"
)


@pytest.fixture(scope="module")
def server(starter_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AudioServer]:
    with serving_audio(starter_data_dir, tmp_path_factory.mktemp("server")) as served:
        yield served


def zipped() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as bundle:
        bundle.writestr("clip.wav", sentence("0880").content)
    return target.getvalue()


NO_SOUNDS: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "text": lambda: b"This is no recording.\n" * 100,
    "zip": zipped,
    "image": lambda: PIXEL,
    "film without sound": film,
    "header alone": lambda: wav(silence(0)),
    "half a header": lambda: sentence("0880").content[:30],
    "end of an mp4": lambda: encoded(samples_of(sentence("0880").content), "mp4")[1000:],
    "playlist": lambda: b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n/etc/passwd\n#EXT-X-ENDLIST\n",
    "list of files": lambda: b"ffconcat version 1.0\nfile /etc/passwd\n",
    "zeros": lambda: bytes(100_000),
}


@pytest.mark.parametrize("name", sorted(NO_SOUNDS))
def test_what_holds_no_sound_is_refused_whatever_it_is_called(server: AudioServer, name: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        heard(server, Clip("speech.mp3", NO_SOUNDS[name](), ""))
    assert refused.value.param == "file"
    assert "Invalid file format. Supported formats: ['flac', " in refused.value.message


def test_no_sound_is_a_real_status_where_a_stream_was_asked_for(server: AudioServer) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        server.sdk.audio.transcriptions.create(model="whisper-1", file=("a.mp3", b"none" * 100), stream=True)
    assert refused.value.param == "file"


def test_a_recording_that_was_cut_short_is_heard_as_far_as_it_goes(server: AudioServer) -> None:
    clip = sentence("0870")
    content = encoded(samples_of(clip.content), "mp3")
    words = words_of(heard(server, Clip("cut.mp3", content[: len(content) // 2], ""))).split()
    assert words[:4] == words_of(clip.text).split()[:4]
    assert len(words) < len(clip.text.split())


def test_a_recording_with_a_broken_middle_is_an_answer_and_no_crash(server: AudioServer) -> None:
    content = bytearray(sonnet().content[:160_000])
    content[60_000:70_000] = noise(1).tobytes()[:10_000]
    assert "creatures" in heard(server, Clip("broken.mp3", bytes(content), "")).lower()


def test_too_large_a_recording_is_refused_with_its_size(server: AudioServer) -> None:
    with pytest.raises(openai.APIStatusError) as refused:
        heard(server, Clip("large.wav", bytes(LIMIT + 1), ""))
    assert refused.value.status_code == 413
    assert str(LIMIT) in refused.value.message


def test_three_hours_of_silence_are_no_words_and_little_memory(server: AudioServer) -> None:
    heard(server, sentence("0880"))
    worker = server.worker()
    before = most_memory(worker)
    content = long_silence(hours=3)
    assert len(content) < LIMIT
    answer = server.sdk.audio.transcriptions.create(
        model="whisper-1", file=("night.flac", content), response_format="verbose_json"
    )
    assert answer.text == ""
    assert answer.duration == pytest.approx(3 * 3600, abs=1)
    # As floats the sound would be 690 MB.
    assert most_memory(worker) - before < 150 * 2**20


def test_a_short_clip_overtakes_an_hour_and_the_work_ends_when_its_client_goes(server: AudioServer) -> None:
    hour = sonnet().content * 58
    assert len(hour) < LIMIT
    stream = server.sdk.audio.transcriptions.create(model="whisper-1", file=("hour.mp3", hour), stream=True)
    events = iter(stream)
    assert next(events).type == "transcript.text.delta"
    clip = sentence("0880")
    assert words_of(heard(server, clip)) == words_of(clip.text)
    assert next(events).type == "transcript.text.delta"
    stream.close()
    assert is_idle_soon(server.worker())
    assert words_of(heard(server, clip)) == words_of(clip.text)


def test_several_clips_at_once_all_get_their_own_words(server: AudioServer) -> None:
    clips = [sentence(number) for number in ("0880", "0930", "0890")]
    with ThreadPoolExecutor(len(clips)) as pool:
        texts = list(pool.map(lambda clip: heard(server, clip), clips))
    assert [words_of(text) for text in texts] == [words_of(clip.text) for clip in clips]


def test_a_killed_worker_is_an_error_and_the_next_request_has_a_new_one(server: AudioServer) -> None:
    clip = sentence("0880")
    heard(server, clip)
    stream = server.sdk.audio.transcriptions.create(
        model="whisper-1", file=("long.mp3", sonnet().content * 4), stream=True
    )
    events = iter(stream)
    next(events)
    worker = server.worker()
    worker.kill()
    with pytest.raises(openai.APIError, match="The next request starts a new worker"):
        list(events)
    assert words_of(heard(server, clip)) == words_of(clip.text)
    assert server.worker().pid != worker.pid


def most_memory(process: psutil.Process) -> int:
    """The most memory that a process has had so far."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024
