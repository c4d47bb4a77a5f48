"""`smalt blocklists`, as an operator keeps lists with it."""

import json

import pytest
from typer.testing import CliRunner

from smalt.cli.commands import app
from smalt.core.errors import InvalidRequest, NotFound


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command in an empty folder; returns what it prints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMALT_DATA_DIR", str(tmp_path / "data"))

    def run(*arguments, exit_code=0, typed=None):
        result = CliRunner().invoke(app, ["blocklists", *arguments], input=typed)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == exit_code, result.output
        return result.output

    return run


def shown(run, name):
    return [(one["text"], one["is_regex"]) for one in json.loads(run("show", name, "--json"))["items"]]


def test_a_list_is_made_filled_shown_and_deleted(run, tmp_path):
    assert "Made the block list 'rivals'" in run("create", "rivals")
    (tmp_path / "more.txt").write_text("Bolt Inc\n\n  Cogs  \n")
    assert run("add", "rivals", "Acme", "--file", "more.txt") == "Added 3 to the block list 'rivals'.\n"
    run("add", "rivals", r"\bacme-\d+\b", "--regex")
    run("add", "rivals", "--file", "-", typed="Dials\n")
    assert shown(run, "rivals") == [
        ("Acme", False),
        ("Bolt Inc", False),
        ("Cogs", False),
        (r"\bacme-\d+\b", True),
        ("Dials", False),
    ]
    assert "exact" in run("show", "rivals")
    assert run("remove", "rivals", "Cogs", "nobody") == "Removed 1 from the block list 'rivals'.\n"
    assert [one["name"] for one in json.loads(run("list", "--json"))] == ["rivals"]
    assert "rivals" in run("list")
    assert run("delete", "rivals") == "Deleted the block list 'rivals' with 4 items.\n"
    assert json.loads(run("list", "--json")) == []


def test_what_cannot_be_is_refused(run):
    run("create", "rivals")
    with pytest.raises(InvalidRequest, match="RE2"):
        run("add", "rivals", "(", "--regex")
    with pytest.raises(NotFound, match="There are: rivals"):
        run("add", "others", "Acme")
    assert "at least one term" in run("add", "rivals", exit_code=2)
    assert "cannot be read" in run("add", "rivals", "--file", "missing.txt", exit_code=2)
    assert shown(run, "rivals") == []


def test_a_list_that_a_policy_names_is_not_deleted(run, tmp_path):
    run("create", "rivals")
    (tmp_path / "smalt.toml").write_text('[content_filter.policies.default]\nblocklists = ["rivals"]\n')
    assert "The policy 'default' names" in run("delete", "rivals", exit_code=2)
    assert shown(run, "rivals") == []
