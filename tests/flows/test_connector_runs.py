"""`smalt connectors` as a person types it, against a served echo: once, and for every row of a table."""

import asyncio
import csv
import json
import sqlite3
import wave
from contextlib import closing

import pytest
from typer.testing import CliRunner

from documents import xlsx
from loopback import web_service
from serving import serving
from smalt.cli.claiming import claiming
from smalt.cli.commands import app
from smalt.cli.opening import open_database
from smalt.connectors.runs.reaching import with_key
from smalt.core.settings import DeploymentSettings, Settings
from smalt.jobs.queue import JobQueue
from smalt.store.connector_runs import ConnectorRuns, NewRow, StoredRun

SETTINGS = """
data_dir = "{data_dir}"
starter = false
[connectors]
throttle = false
secrets = "file"
[jobs]
poll_seconds = 0.2
"""
COMPLETE = ("run", "openai-gpt", "create_completion", "--param", "model=echo")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A Smalt whose data folder the commands have too, and whose job runner works on their runs."""
    data_dir = tmp_path_factory.mktemp("runs")
    deployments = {
        "echo": DeploymentSettings(engine="echo"),
    }
    settings = Settings(
        data_dir=data_dir,
        starter=False,
        deployments=deployments,
        connectors={"throttle": False, "secrets": "file"},
        jobs={"poll_seconds": 0.2},
    )
    (data_dir / "run").mkdir(exist_ok=True)
    with claiming(data_dir, "a test"), serving(settings, jobs=True) as served:
        yield served


@pytest.fixture
def data_dir(server):
    return server.app.state.settings.data_dir


@pytest.fixture
def smalt(server, data_dir, monkeypatch, tmp_path):
    """Runs `smalt connectors` in a folder of its own; what it wrote to both outputs is in the result."""
    (tmp_path / "smalt.toml").write_text(SETTINGS.format(data_dir=data_dir))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMALT_CONFIG", str(tmp_path / "smalt.toml"))
    monkeypatch.setenv("SMALT_API_KEY", server.key)

    def invoke(command, *words, exit_code=0):
        place = ["--url", server.url] if command == "run" and "--connection" not in words else []
        result = CliRunner().invoke(app, ["connectors", command, *words, *place], catch_exceptions=False)
        assert result.exit_code == exit_code, result.output
        return result

    return invoke


def newest(smalt):
    return json.loads(smalt("runs", "--limit", "1", "--json").stdout)[0]


def said_by_server(data_dir):
    """The answers that the server kept, by their ids."""
    with closing(sqlite3.connect(data_dir / "smalt.db")) as database:
        found = database.execute("SELECT content FROM idempotent_answers WHERE status = 200").fetchall()
    answers = [json.loads(content) for (content,) in found if content.startswith(b"{")]
    return {answer["id"]: answer for answer in answers if "id" in answer}


def read_csv(path):
    with path.open(newline="") as source:
        return list(csv.DictReader(source))


def test_an_action_answers_with_what_the_server_said(smalt, data_dir):
    result = json.loads(smalt(*COMPLETE, "--param", "prompt=Say it back", "--json").stdout)
    said = said_by_server(data_dir)[result["result"]["id"]]
    assert result["first_completion"] == said["choices"][0]["text"] == "Say it back"
    assert result["result"] == said
    assert newest(smalt)["rows"] == {"succeeded": 1}


def test_results_are_shown_for_a_person_and_again_later(smalt):
    told = smalt(*COMPLETE, "--param", "prompt=Say it back \x1b[2J").stdout
    assert "Say it back" in told
    assert "\x1b" not in told
    run_id = newest(smalt)["id"]
    again = json.loads(smalt("results", run_id[:12], "--json").stdout)
    assert again["first_completion"] == "Say it back \x1b[2J"
    smalt("forget", run_id)
    assert "no run" in smalt_error(smalt, "results", run_id)


def smalt_error(smalt, *words):
    from smalt.core.errors import ApiError

    with pytest.raises(ApiError) as raised:
        smalt(*words)
    return raised.value.message


def test_files_go_in_and_come_out(smalt, tmp_path):
    smalt("run", "openai-gpt", "create_speech", "--param", "model=echo", "--param", "input=Good day to you",
          "--param", "voice=alloy", "--param", "response_format=wav", "--out", "day.wav")  # fmt: skip
    with wave.open(str(tmp_path / "day.wav")) as sound:
        assert sound.getnframes() > 0
    heard = smalt("run", "openai-gpt", "create_transcription", "--param", "model=echo", "--param", "file=@day.wav")
    assert "Good day to you" in heard.stdout
    (tmp_path / "rows.csv").write_text("path\nday.wav\nnone.wav\n")
    smalt("run", "openai-gpt", "create_transcription", "--param", "model=echo", "--each", "rows.csv",
          "--map", "file=@{{path}}", "--out", "heard.csv", exit_code=1)  # fmt: skip
    first, second = read_csv(tmp_path / "heard.csv")
    assert (first["text"], first["status"]) == ("Good day to you", "succeeded")
    assert "none.wav, which cannot be read" in second["error"]


def test_sounds_of_rows_become_files_of_a_folder(smalt, tmp_path):
    (tmp_path / "rows.csv").write_text("input\nOne\nTwo words\n")
    smalt("run", "openai-gpt", "create_speech", "--param", "model=echo", "--param", "voice=alloy",
          "--param", "response_format=wav", "--each", "rows.csv", "--out", "spoken.csv",
          "--files", "sounds")  # fmt: skip
    spoken = read_csv(tmp_path / "spoken.csv")
    assert [row["input"] for row in spoken] == ["One", "Two words"]
    for row in spoken:
        with wave.open(row["$content"]) as sound:
            assert sound.getnframes() > 0
    assert sorted(path.name for path in (tmp_path / "sounds").iterdir()) == ["row-00001.wav", "row-00002.wav"]


def test_every_row_of_a_csv_file_gets_its_result_and_a_bad_one_its_error(smalt, data_dir, tmp_path):
    (tmp_path / "rows.csv").write_text('id;subject\n7;tea\n8;"salt; and pepper"\n9;one;too many\n10;\n')
    words = ("--each", "rows.csv", "--map", "prompt=On {{subject}}", "--map", "max_tokens={{id}}", "--out", "out.csv")
    told_to_person = smalt(*COMPLETE, *words, exit_code=1).stderr
    assert "3 succeeded" in told_to_person
    rows = read_csv(tmp_path / "out.csv")
    assert [row["id"] for row in rows] == ["7", "8", "9", "10"]
    assert [row["first_completion"] for row in rows] == ["On tea", "On salt; and pepper", "", "On "]
    assert [row["status"] for row in rows] == ["succeeded", "succeeded", "failed", "succeeded"]
    assert rows[2]["error"] == "Row 4 has 1 more cells than there are columns."
    said = said_by_server(data_dir)
    for row in (rows[0], rows[1], rows[3]):
        answer = said[row["result.id"]]
        assert row["result.choices.text"] == answer["choices"][0]["text"]
        assert int(row["result.usage.total_tokens"]) == answer["usage"]["total_tokens"]


def test_a_spreadsheet_s_numbers_stay_numbers(smalt, tmp_path):
    (tmp_path / "rows.xlsx").write_bytes(xlsx("Sheet", ("prompt", "most"), ("One two three", 2), ("Four five", 9)))
    words = ("--each", "rows.xlsx", "--map", "prompt={{prompt}}", "--map", "max_tokens={{most}}", "--out", "out.jsonl")
    smalt(*COMPLETE, *words)
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["most"] for row in rows] == [2, 9]
    assert [row["first_completion"].split() for row in rows] == [["One", "two"], ["Four", "five"]]


def test_json_lines_hand_whole_objects_on_and_a_broken_line_fails_alone(smalt, tmp_path):
    lines = ['{"who": {"name": "Ada"}, "messages": [{"role": "user", "content": "Hi"}]}', "{broken", '{"who": 1}']
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    smalt("run", "openai-gpt", "get_chat_completions", "--param", "model=echo", "--map", "user={{ who.name }}",
          "--map", "messages={{messages}}", "--each", "rows.jsonl", "--out", "out.jsonl", exit_code=1)  # fmt: skip
    first, second, third = (json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines())
    assert first["status"] == "succeeded"
    assert first["who"] == {"name": "Ada"}
    assert "Hi" in first["choices.message.content"]
    assert second["error"].startswith("Line 2 is not JSON")
    assert "needs 'role'" in third["error"]


def test_rows_are_told_as_lines_of_json_where_that_is_asked_for(smalt, tmp_path):
    (tmp_path / "rows.csv").write_text("prompt\nOne\nTwo\n")
    lines = smalt(*COMPLETE, "--each", "rows.csv", "--json").stdout.splitlines()
    assert [json.loads(line)["first_completion"] for line in lines] == ["One", "Two"]


def test_columns_with_parameters_names_need_no_map(smalt, tmp_path):
    (tmp_path / "rows.csv").write_text("prompt,status\nHello,mine\n")
    smalt(*COMPLETE, "--each", "rows.csv", "--out", "out.csv")
    (row,) = read_csv(tmp_path / "out.csv")
    assert (row["status"], row["result.status"], row["first_completion"]) == ("mine", "succeeded", "Hello")


def test_failed_rows_are_tried_again_when_that_is_asked_for_and_the_others_are_left(smalt, tmp_path):
    (tmp_path / "rows.csv").write_text("path\na.wav\n")
    words = ("run", "openai-gpt", "create_transcription", "--param", "model=echo", "--map", "file=@{{path}}")
    smalt(*words, "--each", "rows.csv", "--out", "heard.csv", exit_code=1)
    smalt("resume", newest(smalt)["id"], exit_code=1)
    smalt("run", "openai-gpt", "create_speech", "--param", "model=echo", "--param", "input=Late",
          "--param", "voice=alloy", "--param", "response_format=wav", "--out", "a.wav")  # fmt: skip
    run_id = json.loads(smalt("runs", "--json").stdout)[1]["id"]
    assert json.loads(smalt("resume", run_id, "--retry-failed", "--json").stdout)["text"] == "Late"
    assert [row["text"] for row in read_csv(tmp_path / "heard.csv")] == ["Late"]


def test_a_run_goes_on_with_the_key_that_it_was_begun_with(smalt, server, monkeypatch):
    settings = server.app.state.settings
    step = {"connector": "openai-gpt", "action": "create_completion", "given": {"model": "echo", "prompt": "Hi"}}
    begun = StoredRun(
        id="run_begun", connector=step["connector"], action=step["action"], step=step, connection_id="local",
        url=server.url, output={}, created_at=1,
    )  # fmt: skip

    async def begin():
        async with open_database(settings) as database:
            run = with_key(settings, begun, server.key)
            await ConnectorRuns(database, JobQueue()).add(run, [NewRow({})])

    asyncio.run(begin())
    monkeypatch.setenv("SMALT_API_KEY", "a key of another server")
    assert json.loads(smalt("resume", "run_begun", "--json").stdout)["first_completion"] == "Hi"


def test_an_error_of_the_service_is_told_with_its_message(smalt):
    words = ("run", "openai-gpt", "create_completion", "--param", "model=none", "--param", "prompt=Hi")
    assert "none" in smalt(*words, exit_code=1).stderr
    assert newest(smalt)["rows"] == {"failed": 1}


@pytest.mark.parametrize("is_named", [True, False])
def test_what_another_server_answers_does_not_pass_for_a_smalt(smalt, monkeypatch, is_named):
    async def answer(_request):
        from aiohttp import web

        return web.json_response({"hello": "world"})

    with web_service(answer) as url:
        place = ("--connection", "local", *(("--url", url) if is_named else ()))
        monkeypatch.setenv("SMALT_SERVER__PORT", url.rpartition(":")[2])
        assert "No Smalt answers" in smalt(*COMPLETE, "--param", "prompt=Hi", *place, exit_code=2).stderr


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["--param", "promt=Hi"], "Did you mean 'prompt'?"),
        (["--param", "prompt=Hi", "--param", "max_tokens=many"], "a whole number"),
        (["--param", "prompt"], "NAME=VALUE"),
        (["--param", "prompt=a", "--param", "prompt=b"], "twice"),
        (["--map", "prompt={{x}}"], "--each"),
        (["--each", "rows.csv", "--map", "prompt={{subjekt}}"], "no column 'subjekt'"),
        (["--each", "rows.csv"], "--map prompt={{subject}}"),
        (["--each", "rows.csv", "--map", "promt={{subject}}"], "Did you mean 'prompt'?"),
        (["--each", "rows.doc", "--map", "prompt={{subject}}"], "no table"),
        (["--each", "rows.csv", "--map", "prompt={{subject}}", "--out", "out.doc"], "no format"),
        (["--each", "rows.csv", "--map", "prompt={{subject}}", "--out", "rows.csv"], "another name"),
        (["--each", "rows.csv", "--map", "prompt={{subject}}", "--out", "no/out.csv"], "no folder"),
        (["--param", "prompt=a", "--out", "."], "is a folder"),
        (["--param", "prompt=a", "--files", "rows.csv"], "is a file"),
        (["--each", "none.csv", "--map", "prompt={{subject}}"], "cannot be read"),
        (["--each", "rows.csv", "--map", "prompt={{subject}}", "--sheet", "One"], "no sheets"),
        (["--param", "prompt=a", "--connection", "none"], "no connection 'none'"),
        (["--param", "prompt=a", "--connection", "mine", "--url", "http://127.0.0.1:1"], "Keep one of them"),
        (["--param", "prompt=\udcff"], "not UTF-8"),
        (["--each", "rows.csv", "--map", "prompt={{subject}}", "--files", "sounds"], "--out FILE or --json"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_meant_is_refused_before_anything_is_sent(smalt, tmp_path, words, fault):
    from smalt.core.errors import ApiError

    (tmp_path / "rows.csv").write_text("subject\ntea\n")
    before = smalt("runs", "--json").stdout
    try:
        said = smalt(*COMPLETE, *words, exit_code=2).stderr
    except ApiError as error:
        said = error.message
    assert fault in said
    assert smalt("runs", "--json").stdout == before


def test_connectors_and_actions_are_listed_and_described(smalt):
    listed = json.loads(smalt("list", "--json").stdout)
    assert {one["name"] for one in listed} == {
        "openai-gpt", "azure-openai", "azure-openai-preview", "fusion-openai",
    }  # fmt: skip
    assert "create_completion" in smalt("list").stdout
    shown = smalt("show", "openai-gpt", "create_completion").stdout
    assert "first_completion" in shown
    assert "max_tokens" in shown
    assert "api_key" in smalt("show", "openai-gpt").stdout


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        (["connectors", "run", "open"], "openai-gpt"),
        (["connectors", "run", "openai-gpt", "create_comp"], "create_completion"),
        (["connectors", "run", "openai-gpt", "create_completion", "--param", "max_t"], "max_tokens="),
    ],
    ids=["connector", "action", "parameter"],
)
def test_a_shell_completes_names(typed, found):
    asked = {
        "_SMALT_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(["smalt", *typed]),
        "COMP_CWORD": str(len(typed)),
    }
    result = CliRunner().invoke(app, [], env=asked, prog_name="smalt")
    assert found in result.stdout
