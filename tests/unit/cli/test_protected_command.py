"""`smalt protected`, as an operator fills the index with it."""

import json

import pytest
from typer.testing import CliRunner

from protected_words import CODE, POEM
from smalt.cli.commands import app
from smalt.core.errors import NotFound


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command in an empty folder; returns what it prints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMALT_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "poem.txt").write_text(POEM)
    (tmp_path / "short.txt").write_text("Too short.")
    (tmp_path / "latin.txt").write_bytes("Grüße".encode("latin-1"))
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "lists.py").write_text(CODE)
    (folder / "__init__.py").write_text("")

    def run(*arguments, exit_code=0):
        result = CliRunner().invoke(app, ["protected", *arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == exit_code, result.output
        return result.output

    return run


def listed(run):
    return json.loads(run("list", "--json"))


def test_texts_are_added_listed_and_removed(run):
    assert "Added 1 of kind text." in run("add", "poem.txt")
    [poem] = listed(run)
    assert (poem["name"], poem["kind"], poem["url"], poem["license"]) == ("poem.txt", "text", None, None)
    assert poem["tokens"] > 60
    assert poem["id"] in run("list")
    assert run("remove", "poem.txt") == f"Removed the text 'poem.txt' ({poem['id']}).\n"
    assert listed(run) == []
    with pytest.raises(NotFound, match="smalt protected list"):
        run("remove", "poem.txt")


def test_a_folder_of_code_is_added_with_its_address_and_licence(run):
    said = run("add", "--code", "code", "--url", "https://example.com/code", "--licence", "MIT")
    assert "Left out: '" in said
    assert "has 0 tokens of code" in said
    [code] = listed(run)
    assert (code["kind"], code["url"], code["license"]) == ("code", "https://example.com/code", "MIT")


def test_adding_again_changes_only_what_is_told_of_it(run):
    [first] = json.loads(run("add", "poem.txt", "--json"))
    [second] = json.loads(run("add", "poem.txt", "--license", "CC0-1.0", "--json"))
    assert second == {**first, "license": "CC0-1.0"}


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("nowhere.txt", "The file nowhere.txt cannot be read: No such file"),
        ("latin.txt", "The file latin.txt is not a text in UTF-8."),
        ("short.txt", "'short.txt' has 2 words; copies are found from 30 on."),
    ],
)
def test_what_cannot_be_added_is_refused(run, file, reason):
    assert reason in run("add", file, exit_code=2)
    assert listed(run) == []
