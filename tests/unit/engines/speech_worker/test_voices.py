"""The voices of a Kokoro and their names."""

from pathlib import Path

import numpy as np
import pytest

from smalt.core.errors import EngineFailed, InvalidRequest
from smalt.engines.speech_worker.voices import ALIASES, NAMES, NUMBERS, ROWS, language_of, named_voice, read_voices

OPENAI = "alloy ash ballad coral echo fable nova onyx sage shimmer verse marin cedar"


@pytest.fixture
def joined(tmp_path: Path) -> Path:
    path = tmp_path / "voices.bin"
    np.repeat(np.arange(len(NAMES), dtype="<f4"), ROWS * NUMBERS).tofile(path)
    return path


def test_joined_voices_are_told_apart_by_their_place(joined: Path):
    voices = read_voices(str(joined))
    assert list(voices) == sorted(voices)
    assert [float(voice[0, 0]) for voice in voices.values()] == list(range(54))


def test_an_archive_of_voices_has_its_own_names(tmp_path: Path):
    path = tmp_path / "mine.bin"
    with path.open("wb") as file:
        np.savez(file, mine=np.ones((ROWS, 1, NUMBERS), np.float32))
    voices = read_voices(str(path))
    assert voices["mine"].shape == (ROWS, NUMBERS)
    assert named_voice("mine", voices) == "mine"
    assert language_of("mine") == "en-us"


def test_another_file_is_no_voices(tmp_path: Path):
    path = tmp_path / "voices.bin"
    path.write_bytes(b"voices")
    with pytest.raises(EngineFailed, match="6 bytes"):
        read_voices(str(path))


def test_openais_thirteen_voices_are_distinct(joined: Path):
    voices = read_voices(str(joined))
    assert sorted(ALIASES) == sorted(OPENAI.split())
    assert len({named_voice(name, voices) for name in OPENAI.split()}) == 13


@pytest.mark.parametrize(
    ("name", "language"), [("af_sky", "en-us"), ("Onyx", "en-us"), ("marin", "en-gb"), ("pf_dora", "pt-br")]
)
def test_a_voice_speaks_its_language(joined: Path, name: str, language: str):
    assert language_of(named_voice(name, read_voices(str(joined)))) == language


@pytest.mark.parametrize(("name", "why"), [("nobody", "Unknown voice 'nobody'"), ("jf_alpha", "speaks Japanese")])
def test_a_voice_that_cannot_speak_is_refused_with_those_that_can(joined: Path, name: str, why: str):
    with pytest.raises(InvalidRequest, match=f"{why}.*alloy, .*af_heart") as refusal:
        named_voice(name, read_voices(str(joined)))
    assert refusal.value.param == "voice"
    assert "zf_xiaobei" not in refusal.value.message
