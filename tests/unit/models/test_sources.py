"""Where weights come from: packs, paths, the hub."""

from pathlib import Path

import pytest

from smalt.core.errors import InvalidRequest, NotFound, NotInstalled
from smalt.core.settings import Settings
from smalt.models.pack import starter
from smalt.models.progress import Silent
from smalt.models.sources import HubSource, PackSource, PathSource, parse_source


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", offline=True)


def test_a_pack_gives_the_file_of_the_same_role(settings):
    source = parse_source("pack:embeddings", "tokenizer")
    assert source == PackSource(starter().packs["embeddings"], "tokenizer")
    assert source.expected(settings) == settings.data_dir / "models" / "embeddings" / "tokenizer.json"


def test_an_unknown_pack_and_an_unknown_role_name_what_there_is():
    with pytest.raises(NotFound, match="chat, completions, embeddings"):
        parse_source("pack:nothing", "model")
    with pytest.raises(NotFound, match="It has: model"):
        parse_source("pack:chat", "tokenizer")


def test_a_missing_pack_offline_names_the_command(settings):
    with pytest.raises(NotInstalled, match="smalt models pull chat"):
        parse_source("pack:chat", "model").fetch(settings, Silent())


def test_a_relative_path_counts_from_the_settings_file(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("SMALT_CONFIG", str(tmp_path / "etc" / "smalt.toml"))
    source = parse_source("weights/model.gguf", "model")
    assert source == PathSource(Path("weights/model.gguf"))
    with pytest.raises(NotInstalled, match="There is no file"):
        source.fetch(settings, Silent())
    place = tmp_path / "etc" / "weights" / "model.gguf"
    place.parent.mkdir(parents=True)
    place.touch()
    assert source.fetch(settings, Silent()) == place


def test_an_absolute_path_and_the_home_folder_are_taken_as_they_are(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert parse_source(str(tmp_path / "a"), "model").expected(settings) == tmp_path / "a"
    assert parse_source("~/a", "model").expected(settings) == tmp_path / "a"


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("hf:o/r/f.gguf", HubSource("o/r", "f.gguf", None)),
        ("hf:o/r/d/f.gguf@v1", HubSource("o/r", "d/f.gguf", "v1")),
        ("hf:o/r/f.gguf@refs/pr/1", HubSource("o/r", "f.gguf", "refs/pr/1")),
    ],
)
def test_the_hub_is_named_by_owner_repository_file_and_revision(text, source):
    assert parse_source(text, "model") == source


@pytest.mark.parametrize("text", ["hf:", "hf:o/r", "hf:o", "hf:o/r/@v1"])
def test_half_a_hub_name_is_refused(text):
    with pytest.raises(InvalidRequest, match="OWNER/REPOSITORY/FILE"):
        parse_source(text, "model")


def test_a_hub_file_that_was_never_fetched_says_so_offline(settings):
    with pytest.raises(NotInstalled, match="SMALT_OFFLINE=false"):
        parse_source("hf:o/r/f.gguf", "model").fetch(settings, Silent())
