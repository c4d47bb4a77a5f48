"""Every kind of file that the API names, and some that lie about what they are."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from audio_serving import AudioServer, heard, serving_audio, words_of
from recordings import Clip, sentence
from sounds import CONTAINERS, encoded, film, samples_of

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def server(starter_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AudioServer]:
    with serving_audio(starter_data_dir, tmp_path_factory.mktemp("server")) as served:
        yield served


@pytest.mark.parametrize("kind", sorted(CONTAINERS))
def test_the_same_words_are_heard_in_every_container_whatever_it_is_called(server: AudioServer, kind: str) -> None:
    clip = sentence("0930")
    name = "clip" if kind == "wav" else "clip.wav"
    file = Clip(name, encoded(samples_of(clip.content), kind), clip.text)
    assert words_of(heard(server, file)) == words_of(clip.text)


def test_a_film_is_heard(server: AudioServer) -> None:
    clip = sentence("0930")
    assert words_of(heard(server, Clip("film.mp4", film(samples_of(clip.content)), clip.text))) == words_of(clip.text)
