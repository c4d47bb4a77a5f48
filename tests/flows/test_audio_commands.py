"""`smalt transcribe` and `smalt speak` as a person types them, over a served echo."""

import io
import json
import wave

import pytest
from typer.testing import CliRunner

from serving import serving_echoes
from smalt.cli.commands import app


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving_echoes(tmp_path_factory.mktemp("audio")) as served:
        yield served


@pytest.fixture
def run(server, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMALT_API_KEY", server.key)

    def invoke(command, *words, exit_code=0, given=None):
        options = ["--url", f"{server.url}/openai/v1", "--model", "echo"]
        result = CliRunner().invoke(app, [command, *words, *options], input=given, catch_exceptions=False)
        assert result.exit_code == exit_code, result.output
        return result

    return invoke


@pytest.fixture
def spoken(run, tmp_path):
    run("speak", "Good day to you", "-o", "speech.wav")
    return tmp_path / "speech.wav"


def test_a_text_is_spoken_into_a_file_whose_name_says_the_format(spoken):
    with wave.open(str(spoken)) as sound:
        assert sound.getnframes() > 0
    assert [path.name for path in spoken.parent.iterdir()] == ["speech.wav"]


def test_what_was_spoken_is_heard(run, spoken):
    assert run("transcribe", "speech.wav").stdout == "Good day to you\n"


def test_speech_goes_to_standard_output_and_comes_from_standard_input(run):
    sound = run("speak", "-", "--format", "wav", given="One two").stdout_bytes
    with wave.open(io.BytesIO(sound)) as read:
        assert read.getframerate() == 24_000
    assert run("transcribe", "-", given=sound).stdout == "One two\n"


def test_many_recordings_are_told_apart(run, spoken):
    (spoken.parent / "again.wav").write_bytes(spoken.read_bytes())
    heard = run("transcribe", "speech.wav", "again.wav").stdout
    assert heard == "speech.wav:\nGood day to you\nagain.wav:\nGood day to you\n"


def test_many_subtitles_go_into_a_folder(run, spoken, tmp_path):
    (tmp_path / "out").mkdir()
    (spoken.parent / "again.wav").write_bytes(spoken.read_bytes())
    run("transcribe", "speech.wav", "again.wav", "--format", "srt", "-o", "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["again.srt", "speech.srt"]
    assert (tmp_path / "out" / "again.srt").read_text().startswith("1\n00:00:00,")


def test_words_come_with_their_times(run, spoken):
    told = json.loads(run("transcribe", "speech.wav", "--words").stdout)
    assert [word["word"] for word in told["words"]] == ["Good", "day", "to", "you"]
    assert told["segments"]


def test_a_translation_is_asked_for_with_its_option(run, spoken):
    assert run("transcribe", "speech.wav", "--translate").stdout.strip()


def test_a_refusal_of_the_server_leaves_no_file(run, spoken, tmp_path):
    (tmp_path / "words.txt").write_text("kept")
    done = run("transcribe", "speech.wav", "--language", "xx", "-o", "words.txt", exit_code=1)
    assert "ISO-639-1" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["speech.wav", "words.txt"]
    assert (tmp_path / "words.txt").read_text() == "kept"


def test_a_file_that_cannot_be_written_is_told(run):
    assert "cannot be written" in run("speak", "Hi", "-o", "none/speech.wav", exit_code=1).stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["transcribe", "none.wav"], "There is no file none.wav"),
        (["transcribe", "a.wav", "--format", "mp3"], "--format"),
        (["transcribe", "a.wav", "--format", "srt", "--words"], "--words"),
        (["transcribe", "a.wav", "a.wav", "--format", "srt"], "-o"),
        (["transcribe", "a.wav", "b.wav", "-o", "none"], "no folder"),
        (["transcribe", "a.wav", "sub/a.wav", "-o", "sub"], "one file"),
        (["speak", "Hi", "-o", "speech.doc"], "--format"),
        (["speak", "Hi", "--format", "doc"], "--format"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_meant_is_refused_before_anyone_is_asked(run, tmp_path, words, told):
    (tmp_path / "sub").mkdir()
    for name in ("a.wav", "b.wav", "sub/a.wav"):
        (tmp_path / name).touch()
    assert told in run(*words, exit_code=2).stderr
