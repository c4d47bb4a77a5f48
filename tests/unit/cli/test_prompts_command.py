"""`smalt prompts`, as a person keeps templates with it."""

import json

import pytest
from typer.testing import CliRunner

from smalt.cli.commands import app
from smalt.core.errors import InvalidRequest, NotFound

TEMPLATE = """
instructions = "Be {{tone}}."

[[messages]]
role = "user"
content = [{ type = "input_text", text = "It is about {{ topic }}." }]

[defaults]
temperature = 0.5
reasoning = { effort = "low" }
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command in an empty folder; returns what it prints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMALT_DATA_DIR", str(tmp_path / "data"))

    def run(*arguments, exit_code=0, typed=None):
        result = CliRunner().invoke(app, ["prompts", *arguments], input=typed)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == exit_code, result.output
        return result.output

    return run


def shown(run, *arguments):
    return json.loads(run("show", *arguments, "--json"))


def test_a_text_becomes_the_instructions_of_a_prompt(run, tmp_path):
    (tmp_path / "greeting.txt").write_text("Greet {{name}}.\nBe brief.\n")
    made = run("add", "greeting", "greeting.txt").splitlines()
    assert made[0].startswith("pmpt_")
    assert made[1] == "This is version 1 of the prompt 'greeting' of project 'default'."
    found = shown(run, "greeting")
    assert found == shown(run, made[0])
    assert (found["instructions"], found["variables"]) == ("Greet {{name}}.\nBe brief.", ["name"])


def test_instructions_may_come_through_a_pipe(run):
    run("add", "greeting", "-", typed="Greet them.\n")
    assert shown(run, "greeting")["instructions"] == "Greet them."


def test_a_file_may_hold_the_whole_prompt_and_options_add_to_it(run, tmp_path):
    (tmp_path / "advice.toml").write_text(TEMPLATE)
    added = ("--message", "assistant=Yes?", "--default", "temperature=0", "--default", "truncation=auto")
    run("add", "advice", "advice.toml", *added)
    found = shown(run, "advice")
    assert found["instructions"] == "Be {{tone}}."
    assert [(one["role"], one["content"]) for one in found["messages"]] == [
        ("user", [{"type": "input_text", "text": "It is about {{ topic }}."}]),
        ("assistant", "Yes?"),
    ]
    assert found["defaults"] == {"temperature": 0, "reasoning": {"effort": "low"}, "truncation": "auto"}
    assert found["variables"] == ["tone", "topic"]
    said = {name: found[name] for name in ("instructions", "messages", "defaults")}
    (tmp_path / "again.json").write_text(json.dumps(said))
    run("add", "again", "again.json")
    assert {name: shown(run, "again")[name] for name in said} == said


def test_versions_count_up_and_are_listed(run):
    first = json.loads(run("add", "greeting", "--instructions", "One", "--json"))
    second = json.loads(run("add", first["id"], "--instructions", "Two", "--json"))
    assert (first["version"], second["version"], second["id"]) == ("1", "2", first["id"])
    assert shown(run, "greeting", "--version", "1")["instructions"] == "One"
    assert shown(run, "greeting")["instructions"] == "Two"
    run("add", "greeting", "--instructions", "Other", "--project", "shop")
    assert [(one["project"], one["versions"]) for one in json.loads(run("list", "--json"))] == [
        ("default", ["1", "2"]),
        ("shop", ["1"]),
    ]
    assert [one["project"] for one in json.loads(run("list", "--project", "shop", "--json"))] == ["shop"]
    assert "1, 2" in next(line for line in run("list").splitlines() if first["id"] in line)


def test_a_prompt_is_shown_for_people(run):
    run("add", "greeting", "--instructions", "Greet {{name}}.", "--message", "user=Hi", "--default", "top_p=0.5")
    said = run("show", "greeting")
    for line in ("Greet {{name}}.", "user: Hi", '{"top_p": 0.5}'):
        assert line in said


def test_a_version_and_a_prompt_are_removed(run):
    prompt_id = json.loads(run("add", "greeting", "--instructions", "One", "--json"))["id"]
    run("add", "greeting", "--instructions", "Two")
    removed = run("rm", "greeting", "--version", "2")
    assert removed == f"Removed version 2 of the prompt 'greeting' of project 'default' ({prompt_id}).\n"
    assert shown(run, "greeting")["instructions"] == "One"
    assert "Removed the prompt 'greeting'" in run("rm", prompt_id)
    assert json.loads(run("list", "--json")) == []
    with pytest.raises(NotFound, match="smalt prompts list"):
        run("show", "greeting")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "The prompt says nothing."),
        (["nowhere.txt"], "The file nowhere.txt cannot be read: No such file"),
        (["wrong.json"], "The file wrong.json cannot be read:"),
        (["list.json"], "The prompt is wrong:"),
        (["more.json"], "voice"),
        (["latin.txt"], "not a text in UTF-8"),
        (["latin.txt", "--instructions", "Hi"], "either as a file or with --instructions"),
        (["--message", "Hi"], "Write a message as ROLE=TEXT"),
        (["--message", "tool=Hi"], "'user', 'assistant', 'system' or 'developer'"),
        (["--instructions", "Hi", "--default", "stream"], "Write a default as FIELD=VALUE"),
        (["--instructions", "Hi", "--default", "stream=true"], "no default for 'stream'"),
    ],
)
def test_what_cannot_be_a_prompt_is_refused(run, tmp_path, arguments, reason):
    (tmp_path / "wrong.json").write_text("{")
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "more.json").write_text('{"instructions": "Hi", "voice": "low"}')
    (tmp_path / "latin.txt").write_bytes("Grüße".encode("latin-1"))
    assert reason in run("add", "greeting", *arguments, exit_code=2)
    assert json.loads(run("list", "--json")) == []


@pytest.mark.parametrize(
    ("arguments", "param"),
    [
        (["--default", "temperature=9"], "temperature"),
        (["--default", "tools=[{}]"], "tools[0].type"),
        (["--default", "truncation=always"], "truncation"),
        (["parts.json"], "messages[0].content[0].type"),
    ],
)
def test_what_no_request_could_hold_is_refused(run, tmp_path, arguments, param):
    part = {"type": "input_image", "image_url": "https://example.com/a.png"}
    (tmp_path / "parts.json").write_text(json.dumps({"messages": [{"role": "assistant", "content": [part]}]}))
    text = [] if "parts.json" in arguments else ["--instructions", "Hi"]
    with pytest.raises(InvalidRequest) as refusal:
        run("add", "greeting", *text, *arguments)
    assert refusal.value.param == param
    assert json.loads(run("list", "--json")) == []
