"""`smalt models` as a person types it."""

import json

import pytest
from typer.testing import CliRunner

from smalt.cli.models import app
from smalt.core.errors import ModelNotFound, NotInstalled


@pytest.fixture(autouse=True)
def nothing_installed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMALT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SMALT_OFFLINE", "true")
    monkeypatch.delenv("SMALT_CONFIG", raising=False)


def said(*words: str) -> str:
    result = CliRunner().invoke(app, list(words))
    if result.exception:
        raise result.exception
    return result.output


def test_the_list_shows_every_model_and_its_aliases():
    text = said("list")
    assert "gemma-3-270m" in text
    assert "smollm2-135m-instruct also answers to: gpt-4o-mini" in text
    assert "whisper-base also answers to: whisper-1" in text
    assert "audio_speech" in text


def test_the_list_as_json_tells_what_is_installed():
    models = json.loads(said("list", "--json"))
    assert models[0] == {
        "model": "smollm2-135m-instruct",
        "abilities": ["chat_completion", "completion"],
        "engine": "llama_cpp",
        "size": "145 MB",
        "installed": "no",
        "aliases": models[0]["aliases"],
    }


def test_a_model_is_shown_with_licence_digest_and_command():
    text = said("show", "davinci-002")
    assert "Gemma Terms of Use" in text
    assert "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818" in text
    assert "smalt models pull completions" in text


def test_a_pack_is_shown_by_its_own_name():
    assert json.loads(said("show", "embeddings", "--json"))["pack"] == "embeddings: all-MiniLM-L6-v2 (int8 ONNX)"


def test_an_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(ModelNotFound, match="does not exist"):
        said("pull", "nothing")


@pytest.mark.parametrize("name", ["starter", "chat", "gpt-4o"])
def test_offline_pulling_names_the_command_that_would_work(name):
    with pytest.raises(NotInstalled, match="SMALT_OFFLINE=false smalt models pull chat"):
        said("pull", name)


def test_removing_what_is_not_there_says_so():
    packs = ("chat", "completions", "embeddings", "transcription", "speech", "image-moderation")
    assert said("rm", "starter") == "".join(f"{pack}: was not installed.\n" for pack in packs)


def test_removing_a_pack_removes_its_folder(tmp_path):
    folder = tmp_path / "data" / "models" / "chat"
    folder.mkdir(parents=True)
    (folder / "leftover").touch()
    assert said("rm", "gpt-4o") == "chat: removed.\n"
    assert not folder.exists()
