"""What `smalt doctor` finds."""

import json
import socket
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from smalt.cli.commands import app as commands
from smalt.cli.doctor import doctor
from smalt.store.connecting import database_url
from smalt.store.migrating import _alone, _upgrade


@pytest.fixture
def environ(tmp_path_factory, monkeypatch) -> pytest.MonkeyPatch:
    # Named shortly: sockets will lie in the data folder, and their paths may not be long.
    folder = tmp_path_factory.mktemp("d")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("SMALT_DATA_DIR", str(folder / "data"))
    monkeypatch.setenv("SMALT_SERVER__PORT", "0")
    monkeypatch.delenv("SMALT_CONFIG", raising=False)
    return monkeypatch


def examined() -> tuple[int, dict[str, list[dict[str, str]]]]:
    app = typer.Typer()
    app.command()(doctor)
    result = CliRunner().invoke(app, ["--json"])
    findings: dict[str, list[dict[str, str]]] = {}
    for finding in json.loads(result.stdout):
        findings.setdefault(finding["topic"], []).append(finding)
    return result.exit_code, findings


def test_a_healthy_machine_is_ready_though_models_are_still_to_be_fetched(environ):
    code, findings = examined()
    wrong = [one for found in findings.values() for one in found if one["grade"] not in {"ok", "note"}]
    assert (code, wrong) == (0, [])
    assert {finding["grade"] for finding in findings["model"]} == {"note"}
    assert "smalt models pull gemma-3-270m" in findings["model"][1]["text"]


def test_missing_models_are_bad_when_offline(environ):
    environ.setenv("SMALT_OFFLINE", "true")
    code, findings = examined()
    assert code == 1
    assert findings["model"][0]["grade"] == "bad"
    assert "SMALT_OFFLINE=false smalt models pull" in findings["model"][0]["text"]


def test_a_port_that_is_taken_is_bad(environ):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        environ.setenv("SMALT_SERVER__PORT", str(taken.getsockname()[1]))
        code, findings = examined()
    assert code == 1
    assert "--port" in findings["port"][0]["text"]


def test_a_data_folder_that_cannot_be_made_is_bad(environ, tmp_path):
    (tmp_path / "file").touch()
    environ.setenv("SMALT_DATA_DIR", str(tmp_path / "file" / "data"))
    code, findings = examined()
    assert code == 1
    assert "SMALT_DATA_DIR" in findings["data"][0]["text"]


def test_a_data_folder_too_long_for_sockets_is_bad(environ, tmp_path):
    environ.setenv("SMALT_DATA_DIR", str(tmp_path / ("d" * 90)))
    code, findings = examined()
    assert code == 1
    assert "Unix sockets" in findings["data"][0]["text"]


def test_an_engine_nobody_has_is_bad(environ):
    Path("smalt.toml").write_text('[deployments.mine]\nengine = "nothing"\n')
    code, findings = examined()
    assert code == 1
    assert "there is no 'nothing' here" in findings["settings"][0]["text"]


def test_it_says_in_words_whether_serving_would_work(environ):
    app = typer.Typer()
    app.command()(doctor)
    assert CliRunner().invoke(app, []).stdout.endswith("Ready to serve.\n")


def test_the_database_is_named_with_its_revision(environ):
    assert examined()[1]["database"][0] == {
        "grade": "ok", "topic": "database", "text": f"SQLite, {Path.cwd() / 'data' / 'smalt.db'}: can be reached, new"
    }  # fmt: skip


def test_a_database_by_url_is_named_without_its_password(environ, store_url):
    environ.setenv("SMALT_DATABASE__URL", store_url)
    code, findings = examined()
    assert code == 0
    assert "can be reached, revision" in findings["database"][0]["text"]
    password = database_url(store_url).password
    assert password is None or password not in findings["database"][0]["text"]


def test_a_database_that_is_behind_can_be_migrated(environ, empty_url):
    environ.setenv("SMALT_DATABASE__URL", empty_url)
    with _alone(database_url(empty_url)) as connection:
        _upgrade(connection, "0001")
    assert "smalt migrate" in examined()[1]["database"][0]["text"]
    told = CliRunner().invoke(commands, ["migrate"])
    assert told.exit_code == 0
    assert "from 0001 to revision" in told.stdout
    assert "up to date" in CliRunner().invoke(commands, ["migrate"]).stdout
    assert "smalt migrate" not in examined()[1]["database"][0]["text"]


def test_a_database_out_of_reach_is_bad(environ):
    environ.setenv("SMALT_DATABASE__URL", "postgresql://me:secret@127.0.0.1:1/smalt")
    code, findings = examined()
    assert code == 1
    assert findings["database"][0]["grade"] == "bad"
    assert "database 'smalt' on 127.0.0.1:1" in findings["database"][0]["text"]
    assert "secret" not in findings["database"][0]["text"]


def test_a_sandbox_that_cannot_be_made_is_noted(environ, tmp_path):
    assert examined()[1]["sandbox"][0]["grade"] == "ok"
    environ.setenv("SMALT_CODE_INTERPRETER__BWRAP", str(tmp_path / "none"))
    code, findings = examined()
    assert (code, findings["sandbox"][0]["grade"]) == (0, "note")
    assert "user namespaces" in findings["sandbox"][0]["text"]


def test_an_engine_that_lacks_its_packages_is_bad_where_it_was_asked_for(environ, lonely_engine):
    Path("smalt.toml").write_text(f'[deployments.mine]\nengine = "{lonely_engine}"\n')
    code, findings = examined()
    assert code == 1
    (wrong,) = [found["text"] for found in findings["engine"] if found["grade"] == "bad"]
    assert wrong.startswith("lonely: The engine 'lonely' of lonely-engine cannot be loaded: No module named")
